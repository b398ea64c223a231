//! Sealed bodies: what is public about them, checked; what is sealed stays bytes.

use watchfire_types::IncidentId;
use watchfire_types::body::{SEALED_TEXT_MAX, Sealed, SealedAbout, SealedKey};

use crate::bounds::{MAX_SEALED_KEYS, SEALED_OVERHEAD};
use crate::common::{human_in, human_out};
use crate::error::WireError;
use crate::field::{check_ascending, check_count, fixed, hash, name, present, raw};
use crate::proto::{self, sealed};

pub(super) fn sealed_out(body: &Sealed) -> proto::Sealed {
    let key = |key: &SealedKey| proto::SealedKey {
        member: key.member.to_string(),
        encapsulated: raw(&key.encapsulated.0),
        wrapped: key.wrapped.0.clone(),
    };
    proto::Sealed {
        about: Some(match &body.about {
            SealedAbout::Incident(incident) => sealed::About::Incident(raw(incident.as_bytes())),
            SealedAbout::Vulnerability(asset) => sealed::About::Vulnerability(asset.to_string()),
        }),
        human: Some(human_out(&body.human)),
        commitment: raw(&body.commitment.0),
        keys: body.keys.iter().map(key).collect(),
        ciphertext: body.ciphertext.0.clone(),
    }
}

pub(super) fn sealed_in(body: proto::Sealed) -> Result<Sealed, WireError> {
    let about = match present("sealed.about", body.about)? {
        sealed::About::Incident(incident) => {
            SealedAbout::Incident(IncidentId::from_bytes(fixed("sealed.incident", &incident)?))
        }
        sealed::About::Vulnerability(asset) => SealedAbout::Vulnerability(name("sealed.vulnerability", &asset)?),
    };
    check_count("sealed.keys", body.keys.len(), 1, MAX_SEALED_KEYS)?;
    let key = |key: proto::SealedKey| {
        fixed::<48>("sealed.keys.wrapped", &key.wrapped)?;
        Ok(SealedKey {
            member: name("sealed.keys.member", &key.member)?,
            encapsulated: hash("sealed.keys.encapsulated", &key.encapsulated)?,
            wrapped: key.wrapped.into(),
        })
    };
    let keys: Vec<SealedKey> = body.keys.into_iter().map(key).collect::<Result<_, WireError>>()?;
    let members: Vec<_> = keys.iter().map(|key| &key.member).collect();
    check_ascending("sealed.keys", &members)?;
    check_count("sealed.ciphertext", body.ciphertext.len(), SEALED_OVERHEAD, SEALED_TEXT_MAX + SEALED_OVERHEAD)?;
    Ok(Sealed {
        about,
        human: human_in(body.human)?,
        commitment: hash("sealed.commitment", &body.commitment)?,
        keys,
        ciphertext: body.ciphertext.into(),
    })
}
