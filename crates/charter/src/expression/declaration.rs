//! Names of a struct's parts in a declaration such as `place(tuple(address to, uint256 amount) order)`: the ABI parser reads types alone there.

/// The name of a parameter or part, and those of its parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Names {
    pub(super) name: String,
    pub(super) parts: Vec<Names>,
}

/// Most levels of structs that are read.
const LEVELS_MAX: usize = 8;

/// The declaration without the names of parts, and the names of its parameters; `None` where its parentheses do not pair.
pub(super) fn split(text: &str) -> Option<(String, Vec<Names>)> {
    let (head, rest) = text.split_once('(')?;
    let mut reader = Reader { rest, plain: format!("{head}(") };
    let names = reader.list(0)?;
    let plain = reader.plain + reader.rest;
    Some((plain, names))
}

struct Reader<'a> {
    /// After the opening parenthesis of the list that is read.
    rest: &'a str,
    plain: String,
}

impl Reader<'_> {
    fn list(&mut self, level: usize) -> Option<Vec<Names>> {
        let mut all = Vec::new();
        loop {
            self.rest = self.rest.trim_start();
            if level > LEVELS_MAX {
                return None;
            }
            let unnamed = self.rest.strip_prefix("tuple").unwrap_or(self.rest);
            let parts = match unnamed.strip_prefix('(') {
                Some(inner) => {
                    self.rest = inner;
                    self.plain.push('(');
                    self.list(level + 1)?
                }
                None => Vec::new(),
            };
            let end = self.rest.find([',', ')', '('])?;
            let (words, rest) = self.rest.split_at(end);
            let mut words: Vec<&str> = words.split_whitespace().collect();
            // Where a struct ends, the brackets of a list of it may follow at once.
            let is_type = parts.is_empty() || words.first().is_some_and(|word| word.starts_with('['));
            let ty = if is_type && !words.is_empty() { words.remove(0) } else { "" };
            self.plain.push_str(ty);
            let name = words.last().copied().unwrap_or_default().to_owned();
            if level == 0 {
                words.iter().for_each(|word| self.plain.extend([" ", word]));
            }
            if !(ty.is_empty() && parts.is_empty() && name.is_empty()) {
                all.push(Names { name, parts });
            }
            let sign = rest.chars().next()?;
            self.rest = rest.get(1..)?;
            self.plain.push(sign);
            match sign {
                ',' => {}
                ')' => return Some(all),
                _ => return None,
            }
        }
    }
}
