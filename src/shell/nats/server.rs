//! A private `nats-server`: the bus of a ledger that was given no other.
//!
//! ```text
//! folder/
//!   nats.conf         written at every start
//!   nats-server.log
//!   client.nk         the key that lets in, if it has credentials of its own
//!   lock              held by the running server itself
//!   jetstream/        its streams
//! ```
//!
//! The server listens on loopback only, and lives no longer than the process that started it: it is killed
//! when [`PrivateServer`] is dropped, and if our process dies without having the time for that, a watching
//! shell notices the end of a pipe and stops it. Until it is gone it holds `lock` (as its standard input: a
//! file lock lasts as long as anybody has the file open), so that no second server opens the same streams.

use std::{
    env,
    fmt::Write as _,
    fs::{self, File, TryLockError},
    io::{self, Write as _},
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use super::{
    access::BusAccess,
    connect::{Bus, BusOptions},
};
use crate::shell::durable;

/// The environment variable that names the `nats-server` executable.
pub const SERVER_VARIABLE: &str = "LOTPROOF_NATS_SERVER";

/// The oldest server that knows what the streams use.
const OLDEST: (i64, i64) = (2, 11);

/// How long a server may take to stop before it is killed.
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// How long to wait between two looks at a starting server.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long it is waited in silence for the server before this one to end.
const WORD_AFTER: Duration = Duration::from_secs(1);

/// How often the server syncs what it stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncInterval {
    /// Two minutes, as NATS has it. A power cut may take what came since; the publishers' outboxes have it.
    #[default]
    ServerDefault,
    /// Before every acknowledgement: far slower.
    Always,
    /// At this interval.
    Every(Duration),
}

/// How to run a private server.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Where its configuration, log and streams are; created if missing.
    pub folder: PathBuf,
    /// The executable; `None` takes what [`find_server`] finds.
    pub executable: Option<PathBuf>,
    /// The port on 127.0.0.1; `None` takes a free one.
    pub port: Option<u16>,
    /// Whether it lets in only who has the key that it makes in its folder, `client.nk`.
    pub own_credentials: bool,
    /// How often it syncs.
    pub sync: SyncInterval,
    /// How long it may take until it answers. Large streams take long to recover.
    pub ready_within: Duration,
}

impl ServerOptions {
    /// On a free port, as NATS syncs by default, ready within half a minute.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            executable: None,
            port: None,
            own_credentials: false,
            sync: SyncInterval::default(),
            ready_within: Duration::from_secs(30),
        }
    }
}

/// Why there is no private server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// No executable.
    #[error(
        "no nats-server: name one of version {}.{} or newer in {SERVER_VARIABLE}, put it on PATH, \
         or start through `cargo xtask`, which installs one under target/",
        OLDEST.0, OLDEST.1
    )]
    NotFound,
    /// Too old.
    #[error("{} is version {got}, needed is {}.{} or newer", executable.display(), OLDEST.0, OLDEST.1)]
    TooOld {
        /// Which.
        executable: PathBuf,
        /// What it says it is.
        got: String,
    },
    /// The folder is another running server's.
    #[error("{} is in use by another nats-server: does another `lotproof up` run on it?", .0.display())]
    InUse(PathBuf),
    /// The operating system refused.
    #[error("{doing}")]
    Io {
        /// What.
        doing: String,
        /// Its answer.
        source: io::Error,
    },
    /// It ended by itself before it answered.
    #[error("nats-server ended early ({status}); the end of its log:\n{log}")]
    Ended {
        /// How.
        status: ExitStatus,
        /// Its last lines.
        log: String,
    },
    /// It does not answer.
    #[error("nats-server did not answer within {} s; the end of its log:\n{log}", within.as_secs())]
    NotReady {
        /// How long we waited.
        within: Duration,
        /// Its last lines.
        log: String,
    },
}

fn io_error(doing: impl Into<String>) -> impl FnOnce(io::Error) -> ServerError {
    let doing = doing.into();
    |source| ServerError::Io { doing, source }
}

/// The executable that `LOTPROOF_NATS_SERVER` names, or else `nats-server` from PATH.
///
/// # Errors
/// [`ServerError::NotFound`], which says what to do.
pub fn find_server() -> Result<PathBuf, ServerError> {
    if let Some(named) = env::var_os(SERVER_VARIABLE).filter(|named| !named.is_empty()) {
        return Ok(named.into());
    }
    let file = format!("nats-server{}", env::consts::EXE_SUFFIX);
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .map(|folder| folder.join(&file))
        .find(|path| path.is_file());
    found.ok_or(ServerError::NotFound)
}

/// A `nats-server` of our own; see the module's introduction.
#[derive(Debug)]
pub struct PrivateServer {
    options: ServerOptions,
    executable: PathBuf,
    port: u16,
    /// Public key of the one user there is.
    user: Option<String>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    server: Child,
    /// Stops the server when our end of its standard input closes.
    watcher: Option<Child>,
}

impl PrivateServer {
    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    /// [`ServerError`], by cause; nothing is left running.
    pub async fn start(options: ServerOptions) -> Result<Self, ServerError> {
        let executable = match &options.executable {
            Some(executable) => executable.clone(),
            None => find_server()?,
        };
        let port = match options.port {
            Some(port) => port,
            None => free_port().map_err(io_error("finding a free port on 127.0.0.1"))?,
        };
        let mut server = Self {
            options,
            executable,
            port,
            user: None,
            running: None,
        };
        if server.options.own_credentials {
            server.user = Some(server.user_key()?);
        }
        server.run().await?;
        Ok(server)
    }

    /// Where it listens, the same after a restart.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// How to be let in.
    pub fn access(&self) -> BusAccess {
        match self.user {
            Some(_) => BusAccess::by_nkey(self.key_file()),
            None => BusAccess::default(),
        }
    }

    fn key_file(&self) -> PathBuf {
        self.options.folder.join("client.nk")
    }

    /// The public key of the user, whose seed is made once: whoever was told of the file is let in after a restart.
    fn user_key(&self) -> Result<String, ServerError> {
        let path = self.key_file();
        let doing = || format!("the key {} of the private bus", path.display());
        durable::create_folder(&self.options.folder).map_err(io_error(doing()))?;
        let seed = durable::read(&path).map_err(io_error(doing()))?;
        let key = if let Some(seed) = seed {
            let seed = std::str::from_utf8(&seed).map(str::trim).unwrap_or_default();
            nkeys::KeyPair::from_seed(seed).map_err(|_| {
                let why = "no seed of a user: remove it, and another is made";
                io::Error::new(io::ErrorKind::InvalidData, why)
            })
        } else {
            let key = nkeys::KeyPair::new_user();
            let seed = key.seed().map_err(|error| io::Error::other(error.to_string()));
            seed.and_then(|seed| write_secret(&path, &seed)).map(|()| key)
        };
        Ok(key.map_err(io_error(doing()))?.public_key())
    }

    /// The folder it was given.
    pub fn folder(&self) -> &Path {
        &self.options.folder
    }

    /// Its process, if it is running.
    pub fn process_id(&self) -> Option<u32> {
        self.running.as_ref()?.server.id()
    }

    /// Resolves when the server has ended, by itself or by somebody's hand; at once if it is stopped.
    /// Cancelling is fine.
    pub async fn ended(&mut self) {
        if let Some(running) = &mut self.running {
            // An error here means that there is no such child, so that it has ended all the same.
            let _ = running.server.wait().await;
        }
    }

    /// Restarts the server whenever it ends, and returns only when it cannot be: then with the last reason.
    /// Cancelling leaves it running if it was.
    pub async fn supervise(&mut self) -> ServerError {
        const ATTEMPTS: u32 = 5;
        loop {
            self.ended().await;
            tracing::warn!(port = self.port, "nats-server ended: restarting it");
            let mut attempt = 1;
            while let Err(error) = self.restart().await {
                if attempt == ATTEMPTS {
                    return error;
                }
                tracing::warn!(attempt, %error, "nats-server could not be restarted");
                sleep(Duration::from_millis(100) * 2_u32.pow(attempt)).await;
                attempt += 1;
            }
        }
    }

    /// Starts it again on the same port and folder, after killing it if it runs.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        self.kill().await;
        self.run().await
    }

    /// Kills it (SIGKILL): what its operating system has of its writes survives, the server's own shutdown
    /// does not happen.
    pub async fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.dismiss_watcher();
            // Fails only if it has ended, which is what we want.
            let _ = running.server.kill().await;
        }
    }

    /// Asks it to stop and waits; kills it if it takes longer than a quarter of a minute.
    pub async fn stop(&mut self) {
        let Some(mut running) = self.running.take() else {
            return;
        };
        running.dismiss_watcher();
        if let Some(id) = running.server.id() {
            let asked = Command::new(&self.executable)
                .arg("--signal")
                .arg(format!("quit={id}"))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .await;
            if asked.is_ok_and(|status| status.success())
                && timeout(STOP_WITHIN, running.server.wait()).await.is_ok()
            {
                return;
            }
            tracing::warn!("nats-server did not stop when asked: killing it");
        }
        let _ = running.server.kill().await;
    }

    async fn run(&mut self) -> Result<(), ServerError> {
        let deadline = Instant::now() + self.options.ready_within;
        let folder = &self.options.folder;
        fs::create_dir_all(folder).map_err(io_error(format!("creating {}", folder.display())))?;
        // The log is of this start only, so that its end explains this start's failure.
        let log = folder.join("nats-server.log");
        let lock = self.lock(deadline).await?;
        match fs::remove_file(&log) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error(format!("removing {}", log.display()))(error));
            }
            _ => {}
        }
        let config = folder.join("nats.conf");
        fs::write(&config, self.config(&log)).map_err(io_error(format!("writing {}", config.display())))?;

        let mut command = Command::new(&self.executable);
        command
            .arg("--config")
            .arg(&config)
            .stdin(lock)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // Not in our process group: an interrupt at the terminal is ours, and the server goes last.
        #[cfg(unix)]
        command.process_group(0);
        let spawned = command.kill_on_drop(true).spawn();
        let server = spawned.map_err(io_error(format!("starting {}", self.executable.display())))?;
        let watcher = server.id().and_then(watch);
        self.running = Some(Running { server, watcher });
        let ready = self.wait_until_ready(&log, deadline).await;
        if ready.is_err() {
            self.kill().await;
        }
        ready
    }

    /// The lock on the folder, once the server before this one has let go of it.
    async fn lock(&self, deadline: Instant) -> Result<File, ServerError> {
        let path = self.options.folder.join("lock");
        let file = File::create(&path).map_err(io_error(format!("opening {}", path.display())))?;
        let (word_at, mut is_told) = (Instant::now() + WORD_AFTER, false);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    if !is_told && Instant::now() > word_at {
                        is_told = true;
                        tracing::warn!(
                            folder = %self.options.folder.display(),
                            "another nats-server runs on this folder: waiting for it to end"
                        );
                    }
                    sleep(LOOK_EVERY).await;
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(ServerError::InUse(self.options.folder.clone()));
                }
                Err(TryLockError::Error(error)) => {
                    return Err(io_error(format!("locking {}", path.display()))(error));
                }
            }
        }
    }

    fn config(&self, log: &Path) -> String {
        let mut text = format!(
            "# Written by lotproof at every start.\n\
             listen: \"127.0.0.1:{}\"\n\
             server_name: \"lotproof-private-{}\"\n\
             max_payload: 1048576\n\
             {}\
             log_file: {}\n\
             jetstream {{\n  store_dir: {}\n",
            self.port,
            self.port,
            self.user.as_ref().map_or_else(String::new, |user| {
                format!("authorization {{ users: [ {{ nkey: \"{user}\" }} ] }}\n")
            }),
            quoted(log),
            quoted(&self.options.folder.join("jetstream")),
        );
        let written = match self.options.sync {
            SyncInterval::ServerDefault => Ok(()),
            SyncInterval::Always => writeln!(text, "  sync_interval: \"always\""),
            SyncInterval::Every(interval) => {
                writeln!(text, "  sync_interval: \"{}ms\"", interval.as_millis())
            }
        };
        written.expect("a string takes whatever is written to it");
        text.push_str("}\n");
        text
    }

    async fn wait_until_ready(&mut self, log: &Path, deadline: Instant) -> Result<(), ServerError> {
        let mut options = BusOptions::new(self.url(), "lotproof: is it ready").with_access(&self.access());
        options.connect_timeout = Duration::from_secs(1);
        options.request_timeout = Duration::from_secs(1);
        loop {
            if let Some(Ok(Some(status))) = self.running.as_mut().map(|running| running.server.try_wait()) {
                return Err(ServerError::Ended {
                    status,
                    log: end_of(log),
                });
            }
            if let Ok(bus) = Bus::connect(&options).await {
                let (major, minor) = OLDEST;
                if !bus.client().is_server_compatible(major, minor, 0) {
                    let got = bus.client().server_info().version;
                    return Err(ServerError::TooOld {
                        executable: self.executable.clone(),
                        got,
                    });
                }
                // Connections are taken before JetStream has recovered its streams.
                if bus.jetstream().query_account().await.is_ok() {
                    return Ok(());
                }
            }
            if Instant::now() >= deadline {
                return Err(ServerError::NotReady {
                    within: self.options.ready_within,
                    log: end_of(log),
                });
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

impl Running {
    /// Before the server's process id can be anybody else's.
    fn dismiss_watcher(&mut self) {
        if let Some(mut watcher) = self.watcher.take() {
            let _ = watcher.start_kill();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.dismiss_watcher();
        if self.server.start_kill().is_err() {
            return;
        }
        // A killed process is gone in a moment; whoever drops us may be about to delete its folder.
        for _ in 0..200 {
            match self.server.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(5)),
                Ok(Some(_)) | Err(_) => return,
            }
        }
    }
}

/// A shell that waits for the end of its standard input, which comes when we close it or die, and then stops
/// the server; `None`, with a warning, where there is no shell.
fn watch(server: u32) -> Option<Child> {
    const SCRIPT: &str = "read -r nothing; kill \"$1\" || exit 0; \
         for second in 1 2 3 4 5; do sleep 1; kill -0 \"$1\" || exit 0; done; kill -9 \"$1\"";
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT, "sh"]).arg(server.to_string());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    #[cfg(unix)]
    command.process_group(0);
    match command.kill_on_drop(true).spawn() {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            tracing::warn!(%error, "nothing will stop nats-server if this process is killed");
            None
        }
    }
}

/// A port that nobody listened on a moment ago.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Writes what its owner alone may read to a file that is not there yet.
fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

/// A path as the server's configuration takes it.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{text}\"")
}

/// The last lines of the server's log, or why there are none.
fn end_of(log: &Path) -> String {
    match fs::read(log) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<_> = text.lines().collect();
            lines
                .iter()
                .skip(lines.len().saturating_sub(12))
                .copied()
                .collect::<Vec<_>>()
                .join("\n")
        }
        Err(error) => format!("{}: {error}", log.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(sync: SyncInterval) -> PrivateServer {
        let mut options = ServerOptions::new("/data/a \"b\"");
        options.sync = sync;
        PrivateServer {
            options,
            executable: "nats-server".into(),
            port: 4_333,
            user: None,
            running: None,
        }
    }

    #[test]
    fn listens_on_loopback_only() {
        let text = server(SyncInterval::ServerDefault).config(Path::new("/data/log"));
        assert!(text.contains("listen: \"127.0.0.1:4333\"\n"), "{text}");
        assert!(!text.contains("sync_interval"), "{text}");
    }

    #[test]
    fn sync_interval_is_written_as_asked() {
        let text = server(SyncInterval::Always).config(Path::new("log"));
        assert!(text.contains("sync_interval: \"always\"\n"), "{text}");
        let text = server(SyncInterval::Every(Duration::from_secs(2))).config(Path::new("log"));
        assert!(text.contains("sync_interval: \"2000ms\"\n"), "{text}");
    }

    #[test]
    fn paths_are_quoted() {
        let text = server(SyncInterval::ServerDefault).config(Path::new("log"));
        assert!(
            text.contains("store_dir: \"/data/a \\\"b\\\"/jetstream\"\n"),
            "{text}"
        );
    }
}
