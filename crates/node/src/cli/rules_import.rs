//! `watchfire rules import`: another monitor's rules as detectors of a charter.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use watchfire_charter::monitors::{Import, Left, Wishes, import};
use watchfire_types::Severity;

use super::output::{CliError, Output, code};
use super::rules::setting;
use crate::config::read_text;

/// Most files of one import.
const FILES_MAX: usize = 1_000;

/// Arguments of `watchfire rules import`.
#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// Monitor files; network files beside them tell what chain a network's name stands for.
    #[arg(required = true, value_name = "FILE")]
    file: Vec<PathBuf>,
    /// The charter's asset for what is on a network, such as ethereum_mainnet=vault-core; may be given several times. Without it an asset is
    /// named as its network is.
    #[arg(long, value_name = "NETWORK=ID", num_args = 1.., value_parser = setting)]
    asset: Vec<(String, String)>,
    /// How bad every finding is: monitors do not say.
    #[arg(long, value_name = "SEV1..SEV5", default_value = "SEV3", value_parser = severity)]
    severity: Severity,
    /// How long every finding stands, seconds of block time.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=2_592_000))]
    stands_s: u64,
}

fn severity(text: &str) -> Result<Severity, String> {
    let all = [Severity::Sev1, Severity::Sev2, Severity::Sev3, Severity::Sev4, Severity::Sev5];
    let found = all.into_iter().find(|severity| severity.to_string() == text);
    found.ok_or_else(|| format!("{text:?} is no severity; write SEV1 (the worst) to SEV5"))
}

/// Prints the rules; what has no counterpart is told beside them, and is no failure.
pub(super) fn run(arguments: ImportArgs, output: Output) -> Result<u8, CliError> {
    let ImportArgs { file: files, asset, severity, stands_s } = arguments;
    if files.len() > FILES_MAX {
        return Err(CliError::usage(format!("{} files, at most {FILES_MAX} are read at once", files.len())));
    }
    let mut assets = BTreeMap::new();
    for (network, id) in asset {
        if assets.insert(network.clone(), id).is_some() {
            return Err(CliError::usage(format!("{network} is given two assets; say one")));
        }
    }
    let read = |path: &PathBuf| Ok::<_, CliError>((path.display().to_string(), read_text(path)?));
    let texts: Vec<(String, String)> = files.iter().map(read).collect::<Result<_, _>>()?;
    let imported = import(&texts, &Wishes { assets, severity, stands_s });
    let Import { rules, left } = &imported;
    for Left { file, monitor, item, why } in left {
        let of = if monitor.is_empty() { String::new() } else { format!("{monitor}: ") };
        output.progress(&format!("not translated: {file}: {of}{item}: {why}"));
    }
    output.progress(&format!("{} rules; {} part(s) not translated", rules.len(), left.len()));
    let value = serde_json::json!({ "rules": rules, "not_translated": left, "toml": imported.toml() });
    output.answer(&imported.toml(), &value)?;
    Ok(if rules.is_empty() { code::NO } else { code::OK })
}
