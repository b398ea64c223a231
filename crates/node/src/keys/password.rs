//! Where the password of the key files comes from: a file, an environment variable, a systemd credential or the tty.

use std::io::IsTerminal;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::KeyError;
use super::files::{read_private, read_shared};

/// Longest password: 1,024 bytes.
const PASSWORD_BYTES_MAX: usize = 1024;

/// A password; wiped on drop, never shown.
#[derive(Clone)]
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// Takes the first line of these bytes.
    ///
    /// # Errors
    /// [`KeyError::NoPassword`] when it is empty or more than 1,024 bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, KeyError> {
        let bytes = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if bytes.is_empty() || bytes.len() > PASSWORD_BYTES_MAX {
            let reason = format!(
                "it must have 1 to {PASSWORD_BYTES_MAX} bytes, found {}; look at where it is taken from (--password-file, --password-env, \
                 --credential, or [keys] in config.toml)",
                bytes.len()
            );
            return Err(KeyError::NoPassword { reason });
        }
        Ok(Self(Zeroizing::new(bytes.to_vec())))
    }

    /// The bytes, for key derivation.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(..)")
    }
}

/// Where to take the password from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordSource {
    /// The first line of a file that only its owner can read.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A systemd credential: a file of this name in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
    /// Asked on the terminal.
    Terminal,
}

impl PasswordSource {
    /// Takes the password of existing keys.
    ///
    /// # Errors
    /// [`KeyError::NoPassword`] and the errors of the file.
    pub fn take(&self) -> Result<Password, KeyError> {
        match self {
            Self::File(path) => Password::new(&read_private(path)?),
            Self::Environment(name) => from_environment(name),
            Self::Credential(name) => from_credential(name),
            Self::Terminal => ask("Password of this node's keys: "),
        }
    }

    /// Takes the password for new keys: as [`PasswordSource::take`], but asks twice on the terminal.
    ///
    /// # Errors
    /// [`KeyError::NoPassword`], also when the two differ.
    pub fn take_new(&self) -> Result<Password, KeyError> {
        if *self != Self::Terminal {
            return self.take();
        }
        let first = ask("Password for the new keys: ")?;
        if ask("Once more: ")?.bytes() == first.bytes() {
            Ok(first)
        } else {
            Err(KeyError::NoPassword {
                reason: "the two differ; nothing was written, run the command again".to_owned(),
            })
        }
    }
}

fn from_environment(name: &str) -> Result<Password, KeyError> {
    let value = std::env::var(name).map(Zeroizing::new).map_err(|_| KeyError::NoPassword {
        reason: format!("environment variable {name} is not set (or not UTF-8); set it or choose another source"),
    })?;
    Password::new(value.as_bytes())
}

fn from_credential(name: &str) -> Result<Password, KeyError> {
    if name.is_empty() || name.contains('/') || name.starts_with('.') {
        return Err(KeyError::NoPassword {
            reason: format!(
                "credential {name:?} is not a plain name; give the name before the colon of the unit's LoadCredential="
            ),
        });
    }
    let directory = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| KeyError::NoPassword {
        reason: format!(
            "$CREDENTIALS_DIRECTORY is not set; give the unit LoadCredential={name}:... or choose another source"
        ),
    })?;
    // systemd hands credentials out as 0400 or 0440 in a directory only the service can enter: the directory protects them.
    Password::new(&read_shared(&PathBuf::from(directory).join(name))?)
}

fn ask(prompt: &str) -> Result<Password, KeyError> {
    if !std::io::stdin().is_terminal() {
        let reason = "there is no terminal to ask on; give --password-file, --password-env or --credential, or set \
                      password_file, password_env or credential under [keys] in config.toml";
        return Err(KeyError::NoPassword { reason: reason.to_owned() });
    }
    let typed = rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|error| KeyError::NoPassword {
        reason: format!(
            "the terminal cannot be read: {error}; give the password by --password-file or --password-env instead"
        ),
    })?;
    Password::new(typed.as_bytes())
}
