//! The Authentication Service as a client sees it (RFC 9420 §5.3.1, RFC 9750 §4): whether a
//! credential stands for a signature key. Who is who is the application's to say; this is where
//! it says so, and X.509 chains against its anchors are checked here for it.

use x509_parser::prelude::{ASN1Time, FromDer, ParsedExtension, X509Certificate};

use crate::crypto::SignaturePublicKey;
use crate::treesync::Credential;

/// The longest certificate chain that is looked at.
pub const MAX_CHAIN: usize = 10;

/// The rule that a credential breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The application does not believe it.
    #[error("the credential is not accepted: {0} (RFC 9420 §5.3.1)")]
    NotAccepted(String),
    /// It is of another type than the service can check.
    #[error("credentials of type {0} cannot be checked by this service (RFC 9420 §5.3.1)")]
    Type(u16),
    /// The chain has no certificate, or too many.
    #[error("a chain of {0} certificates; it must have 1 to {MAX_CHAIN} (RFC 9420 §5.3)")]
    Length(usize),
    /// A certificate cannot be decoded.
    #[error("certificate {0} of the chain is not a DER-encoded X.509 certificate (RFC 9420 §5.3)")]
    NotACertificate(usize),
    /// The first certificate is for another key.
    #[error("the first certificate is not for the leaf's signature key (RFC 9420 §5.3)")]
    AnotherKey,
    /// A certificate is used outside its validity.
    #[error("certificate {0} of the chain is not valid at this time (RFC 5280 §6.1.3)")]
    Validity(usize),
    /// A certificate that signs others is not one of an authority, or of one above so many.
    #[error(
        "certificate {0} of the chain may not sign certificates, or not above so long a chain (RFC 5280 §6.1.4)"
    )]
    NotAnAuthority(usize),
    /// A certificate says that it must not be believed by who does not know one of its extensions.
    #[error(
        "certificate {0} of the chain has a critical extension that is not known here (RFC 5280 §4.2)"
    )]
    Critical(usize),
    /// A certificate is not signed by the next one, or by an anchor.
    #[error(
        "certificate {0} of the chain is not signed by the next one or an anchor (RFC 9420 §5.3)"
    )]
    NotCertified(usize),
}

/// What decides whether a credential stands for a signature key.
pub trait AuthenticationService: std::fmt::Debug + Send + Sync {
    /// Checks the credential of a leaf with this signature key.
    fn check(
        &self,
        credential: &Credential,
        key: &SignaturePublicKey,
    ) -> Result<(), CredentialError>;

    /// Checks that a member with the credential `old` may go on with `new`, which has been
    /// checked by itself: by default, any.
    fn check_successor(&self, old: &Credential, new: &Credential) -> Result<(), CredentialError> {
        let _ = (old, new);
        Ok(())
    }
}

/// Believes everybody: for groups whose members are known otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AcceptAll;

impl AuthenticationService for AcceptAll {
    fn check(&self, _: &Credential, _: &SignaturePublicKey) -> Result<(), CredentialError> {
        Ok(())
    }
}

/// Accepts X.509 credentials whose chain leads to one of its anchors, and nothing else: signatures,
/// validity, basic constraints and their path length, key usage, no unknown critical extension.
/// Revocation, names and policies are not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct X509Anchors {
    /// The certificates of the authorities that are trusted, in DER.
    pub anchors: Vec<Vec<u8>>,
    /// The second since the Unix epoch at which validity is checked.
    pub now: i64,
}

impl AuthenticationService for X509Anchors {
    fn check(
        &self,
        credential: &Credential,
        key: &SignaturePublicKey,
    ) -> Result<(), CredentialError> {
        let Credential::X509(chain) = credential else {
            return Err(CredentialError::Type(credential.credential_type().0));
        };
        if !(1..=MAX_CHAIN).contains(&chain.len()) {
            return Err(CredentialError::Length(chain.len()));
        }
        let parsed = chain.iter().enumerate().map(|(at, der)| parse(at, der.as_slice()));
        let chain: Vec<_> = parsed.collect::<Result<_, _>>()?;
        if *chain[0].public_key().subject_public_key.data != *key.as_slice() {
            return Err(CredentialError::AnotherKey);
        }
        self.check_chain(&chain)
    }
}

fn parse(at: usize, der: &[u8]) -> Result<X509Certificate<'_>, CredentialError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(CredentialError::NotACertificate(at)),
    }
}

impl X509Anchors {
    /// Each certificate certifies the one before it, and an anchor certifies or is the last.
    fn check_chain(&self, chain: &[X509Certificate<'_>]) -> Result<(), CredentialError> {
        let now = ASN1Time::from_timestamp(self.now);
        for (at, certificate) in chain.iter().enumerate() {
            let valid = now.as_ref().is_ok_and(|now| certificate.validity().is_valid_at(*now));
            if !valid {
                return Err(CredentialError::Validity(at));
            }
            if !critical_extensions_are_known(certificate) {
                return Err(CredentialError::Critical(at));
            }
            if at > 0 && !may_certify(certificate, at - 1) {
                return Err(CredentialError::NotAnAuthority(at));
            }
            let certified = match chain.get(at + 1) {
                Some(issuer) => certifies(issuer, certificate),
                None => self.is_anchored(certificate, at),
            };
            if !certified {
                return Err(CredentialError::NotCertified(at));
            }
        }
        Ok(())
    }

    /// Whether an anchor is the last certificate, with `below` others between it and the client's
    /// own, or certifies it. An anchor is what was configured: its validity is not asked.
    fn is_anchored(&self, certificate: &X509Certificate<'_>, below: usize) -> bool {
        let mut anchors = self.anchors.iter().filter_map(|der| parse(0, der).ok());
        anchors.any(|anchor| {
            anchor == *certificate && anchor.is_ca()
                || may_certify(&anchor, below) && certifies(&anchor, certificate)
        })
    }
}

/// Whether a certificate may sign others, with so many authorities between it and the client.
fn may_certify(certificate: &X509Certificate<'_>, below: usize) -> bool {
    let constraints = certificate.basic_constraints().ok().flatten();
    let authority = constraints.is_some_and(|constraints| {
        let longest = constraints.value.path_len_constraint;
        constraints.value.ca && longest.is_none_or(|longest| longest as usize >= below)
    });
    let usage = certificate.key_usage().ok().flatten();
    authority && usage.is_none_or(|usage| usage.value.key_cert_sign())
}

/// Whether every critical extension is one that is looked at here, or restricts nothing that is.
fn critical_extensions_are_known(certificate: &X509Certificate<'_>) -> bool {
    let mut critical = certificate.iter_extensions().filter(|extension| extension.critical);
    critical.all(|extension| {
        matches!(
            extension.parsed_extension(),
            ParsedExtension::BasicConstraints(_)
                | ParsedExtension::KeyUsage(_)
                | ParsedExtension::SubjectAlternativeName(_)
        )
    })
}

fn certifies(issuer: &X509Certificate<'_>, certificate: &X509Certificate<'_>) -> bool {
    certificate.issuer() == issuer.subject()
        && certificate.verify_signature(Some(issuer.public_key())).is_ok()
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, IsCa,
        KeyPair, KeyUsagePurpose, PKCS_ED25519, date_time_ymd,
    };

    use super::*;

    /// Noon of a day in 2026.
    const NOW: i64 = 1_792_000_000;

    fn params(name: &str, authority: bool) -> CertificateParams {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2027, 1, 1);
        if authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        params
    }

    fn key() -> KeyPair {
        KeyPair::generate_for(&PKCS_ED25519).unwrap()
    }

    /// A root, an authority between, and a client: the chain of two, the client's key, and the
    /// service that trusts the root.
    fn world(between: bool) -> (Vec<Vec<u8>>, SignaturePublicKey, X509Anchors) {
        let root = CertifiedIssuer::self_signed(params("root", true), key()).unwrap();
        let middle = CertifiedIssuer::signed_by(params("middle", between), key(), &root).unwrap();
        let client = key();
        let leaf = params("client", false).signed_by(&client, &middle).unwrap();
        let chain = vec![leaf.der().to_vec(), middle.der().to_vec()];
        let anchors = X509Anchors { anchors: vec![root.der().to_vec()], now: NOW };
        (chain, client.public_key_raw().into(), anchors)
    }

    fn credential(chain: &[Vec<u8>]) -> Credential {
        Credential::X509(chain.iter().cloned().map(Into::into).collect())
    }

    #[test]
    fn a_chain_to_an_anchor_is_accepted() {
        let (mut chain, key, service) = world(true);
        assert_eq!(service.check(&credential(&chain), &key), Ok(()));
        // The anchor itself may stand at the end.
        chain.push(service.anchors[0].clone());
        assert_eq!(service.check(&credential(&chain), &key), Ok(()));
    }

    #[test]
    fn each_rule_of_a_chain() {
        let (chain, key, service) = world(true);
        let check = |chain: &[Vec<u8>]| service.check(&credential(chain), &key);
        assert_eq!(check(&[]), Err(CredentialError::Length(0)));
        let long = vec![chain[0].clone(); MAX_CHAIN + 1];
        assert_eq!(check(&long), Err(CredentialError::Length(MAX_CHAIN + 1)));
        assert_eq!(check(&chain[..1]), Err(CredentialError::NotCertified(0)));
        let swapped = [chain[0].clone(), service.anchors[0].clone()];
        assert_eq!(check(&swapped), Err(CredentialError::NotCertified(0)));
        let broken = [chain[0].clone(), vec![1, 2, 3]];
        assert_eq!(check(&broken), Err(CredentialError::NotACertificate(1)));
        let trailing = [[&chain[0][..], &[0]].concat(), chain[1].clone()];
        assert_eq!(check(&trailing), Err(CredentialError::NotACertificate(0)));
        let other = SignaturePublicKey::from(vec![7; 32]);
        let refused = service.check(&credential(&chain), &other);
        assert_eq!(refused, Err(CredentialError::AnotherKey));
        let basic = Credential::Basic(vec![1].into());
        assert_eq!(service.check(&basic, &key), Err(CredentialError::Type(1)));
        let late = X509Anchors { now: NOW + 40_000_000, ..service.clone() };
        assert_eq!(late.check(&credential(&chain), &key), Err(CredentialError::Validity(0)));
        let nobody = X509Anchors { anchors: vec![], now: NOW };
        let refused = nobody.check(&credential(&chain), &key);
        assert_eq!(refused, Err(CredentialError::NotCertified(1)));
    }

    #[test]
    fn an_authority_keeps_to_what_it_was_given() {
        let check =
            |root: CertificateParams, middle: CertificateParams, leaf: CertificateParams| {
                let root = CertifiedIssuer::self_signed(root, key()).unwrap();
                let middle = CertifiedIssuer::signed_by(middle, key(), &root).unwrap();
                let client = key();
                let leaf = leaf.signed_by(&client, &middle).unwrap();
                let service = X509Anchors { anchors: vec![root.der().to_vec()], now: NOW };
                let chain = [leaf.der().to_vec(), middle.der().to_vec()];
                service.check(&credential(&chain), &client.public_key_raw().into())
            };
        let authority = |name| params(name, true);
        let leaf = || params("client", false);
        assert_eq!(check(authority("root"), authority("middle"), leaf()), Ok(()));
        // A root of length 0 may certify clients, and no authority.
        let mut short = authority("root");
        short.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let refused = check(short, authority("middle"), leaf());
        assert_eq!(refused, Err(CredentialError::NotCertified(1)));
        let mut elsewhere = authority("middle");
        elsewhere.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let refused = check(authority("root"), elsewhere, leaf());
        assert_eq!(refused, Err(CredentialError::NotAnAuthority(1)));
        let mut unknown =
            CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999], vec![5, 0]);
        unknown.set_criticality(true);
        let mut odd = leaf();
        odd.custom_extensions = vec![unknown];
        let refused = check(authority("root"), authority("middle"), odd);
        assert_eq!(refused, Err(CredentialError::Critical(0)));
    }

    #[test]
    fn a_client_may_not_certify_others() {
        let (chain, key, service) = world(false);
        let refused = service.check(&credential(&chain), &key);
        assert_eq!(refused, Err(CredentialError::NotAnAuthority(1)));
    }
}
