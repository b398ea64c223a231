//! Questions over HTTP: one deadline from the first byte to the last, a bound on what is answered, no redirect followed, no proxy of the environment.

use std::error::Error;
use std::io;
use std::path::Path;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::tls::TlsInfo;
use url::Url;
use zeroize::Zeroizing;

use super::LookFault;
use crate::intake::IntakeError;
use crate::intake::secret::first_line;

/// How long an answer may take.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Whom to ask.
#[derive(Debug, Clone)]
pub(super) struct Http {
    client: reqwest::Client,
    token: Option<HeaderValue>,
}

/// What is answered.
#[derive(Debug, Clone)]
pub(super) struct Page {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// The certificate of whoever answered, in DER; `None` without TLS.
    pub(super) certificate: Option<Vec<u8>>,
}

impl Http {
    /// With the token of a private file, if one is named.
    pub(super) fn new(token_file: Option<&Path>, answer_max: Duration) -> Result<Self, IntakeError> {
        let token = token_file.map(token).transpose()?;
        Ok(Self { token, ..Self::of(builder(answer_max))? })
    }

    /// Through a proxy, if one is named.
    pub(super) fn through(proxy: Option<&Url>, answer_max: Duration) -> Result<Self, IntakeError> {
        let proxy = proxy.map(|proxy| reqwest::Proxy::all(proxy.as_str())).transpose();
        let proxy = proxy.map_err(|error| IntakeError::Client { cause: error.to_string() })?;
        Self::of(proxy.into_iter().fold(builder(answer_max), reqwest::ClientBuilder::proxy))
    }

    pub(super) fn of(builder: reqwest::ClientBuilder) -> Result<Self, IntakeError> {
        let client = builder.build().map_err(|error| IntakeError::Client { cause: error.to_string() })?;
        Ok(Self { client, token: None })
    }

    /// What is at an address, at most `bytes_max` of it; a status other than 200 is a fault.
    pub(super) async fn body(&self, url: Url, bytes_max: usize) -> Result<Vec<u8>, LookFault> {
        match self.get(url, bytes_max).await? {
            Page { status: 200, body, .. } => Ok(body),
            Page { status, .. } => Err(LookFault::Status(status)),
        }
    }

    /// What is at an address, whatever its status.
    pub(super) async fn get(&self, url: Url, bytes_max: usize) -> Result<Page, LookFault> {
        let mut request = self.client.get(url);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token.clone());
        }
        let mut response = request.send().await.map_err(|error| failed(&error))?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
            if body.len() + chunk.len() > bytes_max {
                return Err(LookFault::TooLarge(bytes_max));
            }
            body.extend_from_slice(&chunk);
        }
        let certificate = response.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate);
        Ok(Page { status: response.status().as_u16(), certificate: certificate.map(<[u8]>::to_vec), body })
    }
}

/// An address below another one.
pub(super) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

pub(super) fn builder(answer_max: Duration) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .timeout(answer_max)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tls_info(true)
        .user_agent(concat!("watchfire/", env!("CARGO_PKG_VERSION")))
}

fn token(path: &Path) -> Result<HeaderValue, IntakeError> {
    let line = first_line(path)?;
    let value = Zeroizing::new([b"Bearer ".as_slice(), line.as_slice()].concat());
    let sound = !line.is_empty() && line.iter().all(u8::is_ascii_graphic);
    let value = sound.then(|| HeaderValue::from_bytes(&value).ok()).flatten();
    let mut value = value.ok_or_else(|| IntakeError::Token { path: path.to_owned() })?;
    value.set_sensitive(true);
    Ok(value)
}

/// The deepest cause: what stands above it names the address again.
fn failed(error: &reqwest::Error) -> LookFault {
    if error.is_timeout() {
        return LookFault::TooSlow;
    }
    let mut deepest: &(dyn Error + 'static) = error;
    loop {
        // What an I/O error wraps is not its source, but its source's parent.
        let wrapped = deepest.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let wrapped = wrapped.map(|inner| inner as &(dyn Error + 'static));
        if let Some(rustls::Error::InvalidCertificate(why)) = wrapped.unwrap_or(deepest).downcast_ref() {
            return LookFault::Certificate(super::cut(&why.to_string()));
        }
        match wrapped.or_else(|| deepest.source()) {
            Some(source) => deepest = source,
            None => return LookFault::Unreachable(super::cut(&deepest.to_string())),
        }
    }
}
