//! One run of the recorder: the opened device, what waits in its spool, and the way to the service.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use client::durable::{self, FileError, PRIVATE};
use client::{ClientError, ServerUrl};
use evidence::{ReceiptVerifier, TrustFile};

use crate::background::Background;
use crate::chain::{Chain, ChainAlarm};
use crate::clock::wall_clock;
use crate::device::{Device, DeviceError};
use crate::display::Display;
use crate::finish::{self, FinishError, SealedPart};
use crate::ledger::{Ledger, LedgerError};
use crate::outbox::{Outbox, Shared, locked};
use crate::recovery;
use crate::registry::{OwnRegistry, RegistryError};
use crate::sender::{Refusal, Sender};
use crate::service::{Service, ServiceError};
use crate::spool::Counts;
use crate::trust::{self, TrustChoiceError};

/// Why a run cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The device's folder.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The trust file.
    #[error(transparent)]
    Trust(#[from] TrustChoiceError),
    /// The service.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The enrolment.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Two histories.
    #[error(transparent)]
    Chain(#[from] ChainAlarm),
    /// No address given or remembered.
    #[error("No server is known yet: give one with --server URL.")]
    NoServer,
    /// Not enrolled.
    #[error("This device is not enrolled at {server}. Have its public key {key} enrolled, then try again.")]
    NotEnrolled {
        /// The service.
        server: ServerUrl,
        /// The public key in hexadecimal.
        key: String,
    },
    /// The service gave none.
    #[error("The enrolment of this device cannot be fetched: {source}")]
    EnrolmentUnknown {
        /// Why it cannot be fetched.
        source: ServiceError,
    },
}

/// What the command line says about service and trust.
#[derive(Debug, Clone, Default)]
pub struct Connection {
    /// `--data`
    pub data: PathBuf,
    /// `--server`
    pub server: Option<ServerUrl>,
    /// `--trust`
    pub trust: Option<PathBuf>,
    /// `--pin`
    pub pin: bool,
}

/// An opened device with its backlog.
pub struct Session {
    /// The device.
    pub device: Device,
    /// Its ledger.
    pub ledger: Ledger,
    /// What waits.
    pub outbox: Arc<Outbox>,
    /// What is remembered of the chain.
    pub chain: Arc<Chain>,
    /// What the person sees.
    pub display: Arc<Display>,
    server: ServerUrl,
    verifier: Arc<ReceiptVerifier>,
}

/// A recording or deposit whose rest the service refuses for good.
#[derive(Debug)]
pub struct RefusedRest {
    /// The name of the video or file.
    pub name: String,
    /// Its folder in the spool.
    pub folder: PathBuf,
    /// Statements that are not sealed.
    pub waiting: u64,
    /// Why.
    pub refusal: Refusal,
    /// What was sealed before, if anything was.
    pub sealed: Result<Option<SealedPart>, FinishError>,
}

/// How a wait for receipts ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waited {
    /// How far everything has come.
    pub counts: Counts,
    /// What stood in the way last.
    pub trouble: Option<String>,
}

impl Session {
    /// Opens the device, closes what a crash left open, and settles whom to trust.
    ///
    /// # Errors
    /// [`SessionError`]
    pub fn open(connection: &Connection, display: Display) -> Result<Self, SessionError> {
        let mut device = Device::open(&connection.data)?;
        let server = connection
            .server
            .clone()
            .or_else(|| device.profile.server.clone())
            .ok_or(SessionError::NoServer)?;
        let trust = choose_trust(&device, connection, &server, &display)?;
        device.remember_server(&server)?;
        let mut ledger = Ledger::open(&device.folder.ledger())?;
        let recovered = recovery::recover(&device.spool, &device.key, &mut ledger)?;
        recovered.notes.iter().for_each(|note| display.say(note));
        let (pins, alarms) = (device.folder.pins(), device.folder.alarms());
        let (chain, troubles) =
            Chain::open(&pins, &alarms, trust.clone(), server.clone()).map_err(ServiceError::Client)?;
        troubles.iter().for_each(|trouble| display.say(&trouble.to_string()));
        Ok(Self {
            device,
            ledger,
            outbox: Arc::new(Outbox::new(recovered.spooled)),
            chain: Arc::new(chain),
            display: Arc::new(display),
            server,
            verifier: Arc::new(ReceiptVerifier::new(trust)),
        })
    }

    /// A sender to the service.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn sender(&self) -> Result<Sender, SessionError> {
        let service = Service::new(self.server.clone())?;
        Ok(Sender::new(
            service,
            Arc::clone(&self.verifier),
            Arc::clone(&self.chain),
            Arc::clone(&self.outbox),
        ))
    }

    /// The device's enrolment: the service's newest answer, else the one kept from an earlier run. A service that is away
    /// or talks nonsense does not keep a device that was enrolled from recording.
    ///
    /// # Errors
    /// When there is neither.
    pub fn registry(&self, service: &Service) -> Result<OwnRegistry, SessionError> {
        let registry = match (self.fetch_registry(service), self.kept_registry()) {
            (Ok(fetched), _) => {
                durable::replace(&self.device.folder.registry(), fetched.bytes(), PRIVATE)?;
                fetched
            }
            (Err(error), Some(kept)) => {
                self.display.say(&format!("{error} The enrolment kept from an earlier run is used."));
                kept
            }
            (Err(error), None) => return Err(error),
        };
        if let Some(objection) = registry.objection(wall_clock()) {
            self.display.say(&objection);
        }
        Ok(registry)
    }

    fn fetch_registry(&self, service: &Service) -> Result<OwnRegistry, SessionError> {
        match service.registry(self.device.key.digest()) {
            Ok(bytes) => {
                let registry = OwnRegistry::verify(bytes, &self.device.key.public(), &self.verifier)?;
                registry.checkpoints().iter().try_for_each(|checkpoint| self.chain.glance(checkpoint))?;
                Ok(registry)
            }
            Err(ServiceError::Client(ClientError::Refused { problem, .. })) if problem.status == 404 => {
                let (server, key) = (self.server.clone(), self.device.profile.public_key.clone());
                Err(SessionError::NotEnrolled { server, key })
            }
            Err(source) => Err(SessionError::EnrolmentUnknown { source }),
        }
    }

    /// The enrolment of an earlier run, if it stands up to the trust file of this one.
    fn kept_registry(&self) -> Option<OwnRegistry> {
        let bytes = std::fs::read(self.device.folder.registry()).ok()?;
        OwnRegistry::verify(bytes, &self.device.key.public(), &self.verifier).ok()
    }

    /// Waits until everything is sealed, or nothing has moved for `patience`.
    #[must_use]
    pub fn wait_until_sealed(&self, background: &Background, patience: Duration) -> Waited {
        let mut last = self.outbox.counts();
        let mut moved = Instant::now();
        while last.waiting() > 0 && moved.elapsed() < patience {
            std::thread::sleep(Duration::from_millis(20));
            let counts = self.outbox.counts();
            if counts != last {
                (last, moved) = (counts, Instant::now());
            }
        }
        Waited { counts: last, trouble: background.trouble() }
    }

    /// Writes the evidence file of everything that is completely sealed, and clears it from the spool.
    ///
    /// # Errors
    /// None: what fails is said and stays in the spool.
    pub fn finish_complete(&self, service: &Service) -> Vec<Result<PathBuf, FinishError>> {
        let complete: Vec<Shared> = self
            .outbox
            .items()
            .into_iter()
            .filter(|item| matches!(finish::is_complete(&locked(item)), Ok(true)))
            .collect();
        if complete.is_empty() {
            return Vec::new();
        }
        let registry = self.fetch_registry(service).ok();
        complete.iter().map(|item| self.finish_one(item, registry.as_ref())).collect()
    }

    /// Everything of which the service refuses the rest for good, with evidence of what was sealed before. Nothing leaves the spool:
    /// a service that refuses may be wrong.
    pub fn finish_refused(&self, sender: &Sender) -> Vec<RefusedRest> {
        let mut refused = Vec::new();
        for item in self.outbox.items() {
            let spooled = locked(&item);
            let Some(refusal) = sender.refused_for_good(spooled.id()) else { continue };
            let registry = self.fetch_registry(sender.service()).ok();
            refused.push(RefusedRest {
                name: spooled.about().name().into_owned(),
                folder: spooled.path().to_owned(),
                waiting: spooled.counts().waiting(),
                refusal: refusal.clone(),
                sealed: finish::write_sealed_part(&spooled, registry.as_ref()),
            });
        }
        refused
    }

    fn finish_one(&self, item: &Shared, registry: Option<&OwnRegistry>) -> Result<PathBuf, FinishError> {
        let spooled = locked(item);
        let path = finish::write_evidence(&spooled, registry)?;
        self.device.spool.remove(spooled.id())?;
        self.outbox.retire(item);
        Ok(path)
    }

    /// The trust file of this run.
    #[must_use]
    pub fn trust(&self) -> &TrustFile {
        self.verifier.trust()
    }
}

fn choose_trust(
    device: &Device,
    connection: &Connection,
    server: &ServerUrl,
    display: &Display,
) -> Result<TrustFile, SessionError> {
    if !connection.pin {
        return Ok(trust::choose(&device.folder, connection.trust.as_deref())?);
    }
    let trust = match &connection.trust {
        Some(path) => trust::read(path)?,
        None => {
            let bytes = Service::new(server.clone())?.trust_file()?;
            trust::handed_out(&server.join("/trust.json"), &bytes)?
        }
    };
    trust::pin(&device.folder, &trust)?;
    display.say(&format!(
        "Pinned the trust file of {} with the digest {}. Compare it with the one that the operator publishes.",
        trust.operator().name,
        trust.digest()
    ));
    Ok(trust)
}
