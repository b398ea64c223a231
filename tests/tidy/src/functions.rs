//! Functions in a source file and how long they are, read off text that rustfmt formatted: a body ends at the first line that closes
//! at the indentation of its `fn`.

/// One function with a body of more than one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Name.
    pub name: String,
    /// Line of its `fn`, from 1.
    pub line: usize,
    /// Lines of its body that hold code: neither blank nor a comment alone.
    pub code_lines: usize,
}

/// Every function of a text, those within functions included.
#[must_use]
pub fn functions(text: &str) -> Vec<Function> {
    let lines: Vec<&str> = text.lines().collect();
    let starts = lines.iter().enumerate().filter_map(|(index, line)| Some((index, name_of(line)?)));
    starts.filter_map(|(index, name)| measure(&lines, index, name)).collect()
}

/// The name of the function that this line begins to declare.
fn name_of(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let qualifiers = before.split_whitespace().all(|word| {
        matches!(word, "pub" | "const" | "async" | "unsafe" | "extern" | "default")
            || word.starts_with("pub(")
            || word.starts_with('"')
            // The rest of `pub(in crate::a)`.
            || word.ends_with(')')
    });
    let end = after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len());
    (qualifiers && end > 0).then(|| &after[..end])
}

fn measure(lines: &[&str], start: usize, name: &str) -> Option<Function> {
    let first = lines.get(start)?;
    let indentation = &first[..first.len() - first.trim_start().len()];
    let closes = |line: &str, with: &str| line.strip_prefix(indentation).is_some_and(|rest| rest.starts_with(with));
    // The signature ends on its own line, or on one that begins with what closes its arguments or its bounds.
    let opening = lines.iter().enumerate().skip(start).find(|(index, line)| {
        line.ends_with(['{', ';', '}']) && (*index == start || closes(line, ")") || closes(line, "{"))
    });
    let (opening, _) = opening.filter(|(_, line)| line.ends_with('{'))?;
    let length = lines[opening + 1..].iter().position(|line| closes(line, "}"))?;
    let body = &lines[opening + 1..opening + 1 + length];
    let code = body.iter().map(|line| line.trim()).filter(|line| !line.is_empty() && !line.starts_with("//"));
    Some(Function { name: name.to_owned(), line: start + 1, code_lines: code.count() })
}
