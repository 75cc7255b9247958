//! Changes the CA without losing a call, in three steps that can be repeated, resumed and taken back.
//!
//! The state is the files: `ca-next.*` is a CA that waits to be registered, `ca-old.*` one that waits to be revoked.
//! A tunnel holds two active CAs, and the proxy reloads its certificate by itself: that is why no call is lost.
//! No key is ever deleted: what a step drops is kept as `NAME.bak-TIME`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::audit::Purpose;
use super::file::{CaFiles, CertificateFile, File, Files, KeyFile};
use super::issue::Ca;
use super::provision::Lives;
use super::renewal::{self, Renewed};
use crate::answer::{Error, Finding};
use crate::deployment::{Deployment, OPEN_MODE, SECRET_MODE, path};
use crate::os::batch::{self, Batch};
use crate::os::files;
use crate::rules::{self, Cure, Remedy, RuleId, State};

/// The server certificate that the old CA signed: the way back if the old CA's key is not on this host.
const OLD_TLS: &str = "data/tls-old.crt";
/// Fingerprint of the server certificate that `back` put in use: while `tls.crt` is that one, another `back` does nothing.
const TAKEN_BACK: &str = "data/ca-next.back";

/// Every file that a change of the CA may touch.
pub(crate) const FILES: [&str; 8] = [
    path::CA_CRT,
    path::CA_KEY,
    path::TLS_CRT,
    path::CA_NEXT_CRT,
    path::CA_NEXT_KEY,
    path::CA_OLD_CRT,
    path::CA_OLD_KEY,
    OLD_TLS,
];

/// How far the change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stage {
    /// No change is in progress.
    Idle,
    /// `begin` was interrupted: the new CA has a key and no certificate. `begin` or `back` completes it.
    Beginning,
    /// The new CA waits to be registered.
    Begun,
    /// `switch` or `back` was interrupted; either completes it.
    Switching,
    /// The new CA is in use; the old one waits to be revoked.
    Switched,
}

impl Stage {
    /// The stage of a directory.
    ///
    /// # Errors
    /// A file that is not a regular file, or cannot be looked at.
    pub(crate) fn of(deployment: &Deployment) -> Result<Self, Error> {
        let exists = |inside| exists(deployment, inside);
        let next = (exists(path::CA_NEXT_CRT)?, exists(path::CA_NEXT_KEY)?);
        let old = exists(path::CA_OLD_CRT)? || exists(path::CA_OLD_KEY)?;
        Ok(match (next, old) {
            ((false, false), false) => Self::Idle,
            ((false, true), false) => Self::Beginning,
            ((true, _), false) => Self::Begun,
            ((false, false), true) => Self::Switched,
            ((_, _), true) => Self::Switching,
        })
    }

    /// The note that a change is in progress.
    pub(crate) fn finding(self) -> Option<Finding> {
        let text = match self {
            Self::Idle => return None,
            Self::Beginning => "`begin` was interrupted: `data/ca-next.crt` was not written",
            Self::Begun => "the new CA in `data/ca-next.crt` waits to be registered",
            Self::Switching => "the switch to the new CA was interrupted",
            Self::Switched => "the old CA in `data/ca-old.crt` waits to be revoked",
        };
        Some(rules::finding(RuleId::CertsRotationOpen).with(text))
    }

    /// What ends a fault of the CA while a change of it is open: the next step of that change.
    pub(crate) fn continued(self, finding: Finding) -> Finding {
        let (first, step) = match self {
            Self::Begun => ("register data/ca-next.crt in the Console", "switch"),
            Self::Switching => ("see in the Console that both CAs are active", "switch"),
            Self::Switched => ("revoke the old CA in the Console", "finish"),
            Self::Idle | Self::Beginning => return finding,
        };
        match finding.cure {
            Cure::RotateCa => finding.with_remedy(Remedy::State(State::RotationOpen { first, step })),
            _ => finding,
        }
    }
}

/// How far `back` goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BackTo {
    /// The old CA is in use again, the new one is kept.
    Begun,
    /// The new CA is set aside too.
    Idle,
}

#[derive(Debug)]
pub(crate) enum StepOutcome {
    /// What was done, in words.
    Done(&'static str),
    /// Nothing was changed, for these reasons.
    NotDone(Vec<Finding>),
}

/// A change of the CA. The caller holds the directory's lock.
#[derive(Debug)]
pub(crate) struct Rotation<'a> {
    pub(crate) deployment: &'a Deployment,
    pub(crate) purpose: Purpose<'a>,
    pub(crate) lives: Lives,
    pub(crate) set_aside: Vec<String>,
}

impl Rotation<'_> {
    /// Makes the new CA and keeps the one in use.
    ///
    /// # Errors
    /// `request` if the step does not fit the stage; `certificate`, reading and writing errors.
    pub(crate) fn begin(&self) -> Result<StepOutcome, Error> {
        match Stage::of(self.deployment)? {
            Stage::Idle | Stage::Beginning => {}
            Stage::Begun if self.exists(path::CA_NEXT_KEY)? => {
                return Ok(StepOutcome::Done("the new CA already exists"));
            }
            Stage::Begun => {
                return Err(Error::request(
                    "`data/ca-next.crt` exists and its key `data/ca-next.key` does not",
                    "restore data/ca-next.key, or set the certificate aside with {\"step\":\"back\"} and begin again",
                ));
            }
            Stage::Switching | Stage::Switched => {
                return Err(Error::request(
                    "a CA change is in progress",
                    "complete it with {\"step\":\"finish\"}, or undo it with {\"step\":\"back\"}",
                ));
            }
        }
        if !self.exists(path::CA_CRT)? {
            return Err(Error::request(
                "there is no CA to change from",
                "put the registered CA into `data/ca.crt` and its key into `data/ca.key`; without a CA, make one with `certs issue`",
            ));
        }
        let mut batch = Batch::new(self.deployment);
        let key = File::<KeyFile>::read(self.deployment, path::CA_NEXT_KEY);
        let new = if key.is_absent() {
            let new = Ca::create(self.purpose.now, self.lives.ca)?;
            let key = new.key.as_ref().map_or("", |key| key.expose());
            batch.create(path::CA_NEXT_KEY, key.as_bytes(), SECRET_MODE)?;
            new
        } else {
            // Interrupted between the two: the certificate of that key.
            let unusable =
                |why| Error::Certificate { act: "make a CA", why: format!("`{}`: {why}", path::CA_NEXT_KEY) };
            Ca::recreate(&key.usable().map_err(unusable)?.key, None, self.purpose.now, self.lives.ca)?
        };
        batch.create(path::CA_NEXT_CRT, new.certificate.as_bytes(), OPEN_MODE)?;
        batch.commit()?;
        Ok(StepOutcome::Done("the new CA is made; nothing uses it yet"))
    }

    /// Lets the new CA sign the server certificate.
    pub(crate) fn switch(&self) -> Result<StepOutcome, Error> {
        let stage = Stage::of(self.deployment)?;
        match stage {
            Stage::Idle => {
                return Err(Error::request("there is no new CA to switch to", "make one with {\"step\":\"begin\"}"));
            }
            Stage::Beginning => {
                return Err(Error::request(
                    "`begin` was interrupted: the new CA has no certificate yet",
                    "complete it with {\"step\":\"begin\"}, then register data/ca-next.crt",
                ));
            }
            Stage::Switched => return Ok(StepOutcome::Done("the switch was already made")),
            Stage::Begun | Stage::Switching => {}
        }
        if self.exists(path::CA_NEXT_KEY)? {
            let files = Files::read_with(self.deployment, CaFiles::NEXT);
            let Renewed { made, judged } = renewal::renew(files, CaFiles::NEXT, self.purpose, self.lives.server)?;
            if judged.has_errors() {
                return Ok(StepOutcome::NotDone(judged.findings));
            }
            if stage == Stage::Begun {
                self.keep_old()?;
            }
            batch::replace(self.deployment, path::TLS_CRT, made.certificate.as_bytes(), None, OPEN_MODE)?;
            if !self.exists(path::CA_OLD_KEY)? {
                self.rename(path::CA_KEY, path::CA_OLD_KEY)?;
            }
            self.rename(path::CA_NEXT_KEY, path::CA_KEY)?;
        } else if stage == Stage::Begun {
            return Err(Error::request(
                "the new CA's key `data/ca-next.key` is not on this host, and it must sign the server certificate",
                "restore data/ca-next.key and run the step again",
            ));
        }
        // Replaces the old certificate, of which `ca-old.crt` is the copy; its absence says that the switch is complete.
        self.rename(path::CA_NEXT_CRT, path::CA_CRT)?;
        self.remove(TAKEN_BACK)?;
        Ok(StepOutcome::Done("the new CA signs the server certificate now"))
    }

    /// Keeps the old CA's certificate and the server certificate that it signed. From here on it is a switch: if it is
    /// interrupted, `switch` or `back` continues from the files.
    fn keep_old(&self) -> Result<(), Error> {
        if let Some(old) = self.certificate(path::TLS_CRT)? {
            batch::replace(self.deployment, OLD_TLS, &old, None, OPEN_MODE)?;
        }
        let ca = files::read(self.deployment, path::CA_CRT)?.unwrap_or_default();
        batch::create(self.deployment, path::CA_OLD_CRT, &ca, OPEN_MODE)
    }

    /// Sets the old CA aside.
    pub(crate) fn finish(&mut self) -> Result<StepOutcome, Error> {
        match Stage::of(self.deployment)? {
            Stage::Idle => return Ok(StepOutcome::Done("there is nothing to finish")),
            Stage::Beginning | Stage::Begun => {
                return Err(Error::request(
                    "the new CA is not in use yet",
                    "register it, then switch to it with {\"step\":\"switch\"}",
                ));
            }
            Stage::Switching => {
                return Err(Error::request(
                    "the switch was interrupted",
                    "complete it with {\"step\":\"switch\"} first",
                ));
            }
            Stage::Switched => {}
        }
        self.set_aside(path::CA_OLD_KEY)?;
        self.remove(OLD_TLS)?;
        self.remove(TAKEN_BACK)?;
        // Last, because its presence is the stage.
        self.set_aside(path::CA_OLD_CRT)?;
        Ok(StepOutcome::Done("the CA change is complete"))
    }

    /// Takes the last step back, or all of them.
    pub(crate) fn back(&mut self, to: Option<BackTo>) -> Result<StepOutcome, Error> {
        match Stage::of(self.deployment)? {
            Stage::Idle => {
                self.remove(OLD_TLS)?;
                return Ok(StepOutcome::Done("there is nothing to undo"));
            }
            Stage::Beginning | Stage::Begun => {
                if to == Some(BackTo::Begun) || (to.is_none() && self.was_taken_back()?) {
                    self.remove(OLD_TLS)?;
                    return Ok(StepOutcome::Done("the old CA is in use already"));
                }
            }
            Stage::Switching | Stage::Switched => {
                self.take_switch_back()?;
                if to != Some(BackTo::Idle) {
                    return Ok(StepOutcome::Done("the old CA signs the server certificate again; the new one is kept"));
                }
            }
        }
        self.set_aside(path::CA_NEXT_KEY)?;
        self.set_aside(path::CA_NEXT_CRT)?;
        self.remove(OLD_TLS)?;
        self.remove(TAKEN_BACK)?;
        Ok(StepOutcome::Done("the new CA is set aside; if it is registered, revoke it in the Console"))
    }

    /// From the new CA to the old one, which signs the server certificate again.
    fn take_switch_back(&self) -> Result<(), Error> {
        // Before anything is touched: an interrupted `finish` has set aside what the way back needs.
        let unmoved = self.exists(path::CA_NEXT_KEY)? && self.exists(path::CA_KEY)?;
        let old_tls = self.certificate(OLD_TLS)?;
        if !(self.exists(path::CA_OLD_KEY)? || old_tls.is_some() || unmoved) {
            return Err(Error::request(
                "there is no way back: neither the old CA's key nor the certificate that it signed is on this host",
                "restore the old CA's key as data/ca-old.key, or complete the change with {\"step\":\"finish\"}",
            ));
        }
        // Both CAs again, as before the switch.
        if !self.exists(path::CA_NEXT_CRT)? {
            let new = files::read(self.deployment, path::CA_CRT)?.unwrap_or_default();
            batch::create(self.deployment, path::CA_NEXT_CRT, &new, OPEN_MODE)?;
        }
        if !self.exists(path::CA_NEXT_KEY)? {
            self.rename(path::CA_KEY, path::CA_NEXT_KEY)?;
        }
        // Now `ca.key`, if it exists, is the old one, which an interrupted switch had not moved yet.
        let key = if self.exists(path::CA_OLD_KEY)? { path::CA_OLD_KEY } else { path::CA_KEY };
        let old = CaFiles { key, ..CaFiles::OLD };
        let files = Files::read_with(self.deployment, old);
        // If this program cannot sign with the old key, the certificate that it signed is the way back.
        let certificate = match (renewal::sign(&files, old, self.purpose, self.lives.server), old_tls) {
            (Ok(made), _) => made.certificate.into_bytes(),
            (Err(_), Some(old_tls)) => old_tls,
            (Err(error), None) => return Err(error),
        };
        if let File::Good(file) = File::<CertificateFile>::parse(&certificate) {
            batch::replace(self.deployment, TAKEN_BACK, file.first.fingerprint_sha256().as_bytes(), None, OPEN_MODE)?;
        }
        batch::replace(self.deployment, path::TLS_CRT, &certificate, None, OPEN_MODE)?;
        self.rename(path::CA_OLD_KEY, path::CA_KEY)?;
        self.rename(path::CA_OLD_CRT, path::CA_CRT)?;
        self.remove(OLD_TLS)
    }

    /// Whether the server certificate is the one that `back` put in use.
    fn was_taken_back(&self) -> Result<bool, Error> {
        let Some(mark) = files::read(self.deployment, TAKEN_BACK)? else { return Ok(false) };
        let server = File::<CertificateFile>::read(self.deployment, path::TLS_CRT);
        Ok(server.good().is_some_and(|file| file.first.fingerprint_sha256().as_bytes() == mark))
    }

    /// The content of a file that is a certificate; `None` for anything else.
    fn certificate(&self, inside: &str) -> Result<Option<Vec<u8>>, Error> {
        let bytes = files::read(self.deployment, inside)?;
        Ok(bytes.filter(|bytes| File::<CertificateFile>::parse(bytes).good().is_some()))
    }

    fn exists(&self, inside: &str) -> Result<bool, Error> {
        exists(self.deployment, inside)
    }

    /// A rename inside the directory; nothing happens if the source does not exist.
    fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        if !self.exists(from)? {
            return Ok(());
        }
        files::rename(self.deployment, from, to)
    }

    fn remove(&self, inside: &str) -> Result<(), Error> {
        if !self.exists(inside)? {
            return Ok(());
        }
        files::remove(self.deployment, inside)
    }

    /// Takes a file out of the change and keeps it as `NAME.bak-TIME`.
    fn set_aside(&mut self, inside: &str) -> Result<(), Error> {
        if self.exists(inside)? {
            self.set_aside.push(batch::keep_aside(self.deployment, inside, self.purpose.now)?);
        }
        self.remove(inside)
    }
}

fn exists(deployment: &Deployment, inside: &str) -> Result<bool, Error> {
    match files::metadata(deployment, inside)? {
        Some(meta) if meta.is_file() => Ok(true),
        Some(_) => Err(Error::Unexpected {
            act: "use",
            path: deployment.path(inside),
            what: "it is not a regular file".into(),
        }),
        None => Ok(false),
    }
}
