//! Accepting and serving connections.

use std::{
    collections::HashMap,
    convert::Infallible,
    fmt, io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Method, Request, Response, StatusCode, header},
};
use hyper::{body::Incoming, server::conn::http1, service::Service as _, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::{AbortHandle, Id, JoinError, JoinHandle, JoinSet},
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    activity::{Activity, Phase},
    descriptors::{process_places, raise_limit},
    door::DoorRules,
    metrics::{HttpMetrics, Why},
    problem,
    stall::Connection,
};

/// Most headers of a request.
pub(super) const HEADERS_MAX: usize = 64;
/// Longest head of a request in bytes, and most of a body that is buffered ahead of its reader.
pub(super) const HEAD_LEN_MAX: usize = 32 << 10;
/// How long a displaced connection may take to be gone.
const DISPLACED_WAIT: Duration = Duration::from_secs(1);
/// What is waited after the system could not accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// At most one line about failures to accept in so much time.
const ACCEPT_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// How a server behaves.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// What is let in.
    pub rules: DoorRules,
    /// Listen elsewhere than on loopback although nobody is asked who he is.
    pub listen_without_authentication: bool,
    /// Connections at once.
    pub connections_max: usize,
    /// Connections at once from one address (IPv6: from one /64).
    pub connections_per_peer_max: usize,
    /// How long the head of a request may take from its first byte.
    pub head_time_max: Duration,
    /// How long a connection may be silent between requests.
    pub idle_time_max: Duration,
    /// How long a caller may take for 64 KiB of an answer, or for all there is for him if that is less.
    pub write_time_max: Duration,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            rules: DoorRules::default(),
            listen_without_authentication: false,
            connections_max: 1_024,
            connections_per_peer_max: 256,
            head_time_max: Duration::from_secs(10),
            idle_time_max: Duration::from_mins(1),
            write_time_max: Duration::from_secs(30),
        }
    }
}

/// Why a server does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Not on loopback, and nobody said that this is meant.
    #[error(
        "{0} is not loopback, and callers show no credentials: everybody who reaches it may do all that this service \
         does; put a proxy with authentication in front of 127.0.0.1, or say --listen-without-authentication"
    )]
    WithoutAuthentication(SocketAddr),
    /// The address cannot be listened on.
    #[error("listening on {address}")]
    Bind {
        /// Which address.
        address: SocketAddr,
        /// The system's answer.
        source: io::Error,
    },
}

/// A port that is open, and not served yet.
#[derive(Debug)]
pub struct Listening {
    listener: TcpListener,
    address: SocketAddr,
    options: HttpOptions,
}

impl Listening {
    /// Opens a port. The limit of open files is raised before.
    ///
    /// # Errors
    /// [`ListenError`]
    pub async fn bind(address: SocketAddr, options: HttpOptions) -> Result<Self, ListenError> {
        raise_limit();
        if !address.ip().to_canonical().is_loopback() {
            if !options.listen_without_authentication {
                return Err(ListenError::WithoutAuthentication(address));
            }
            tracing::warn!(%address, "listening without authentication: whoever reaches it is let in");
        }
        let failed = |source| ListenError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        Self::on(listener, options).map_err(failed)
    }

    /// On a socket that somebody opened, wherever that is.
    ///
    /// # Errors
    /// If the system does not say where it listens.
    pub fn on(listener: TcpListener, options: HttpOptions) -> io::Result<Self> {
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            options,
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` turns true: then nothing more is accepted, requests in hand are finished, and all other
    /// connections are closed.
    pub fn serve(self, router: Router, metrics: HttpMetrics, stop: watch::Receiver<bool>) -> Serving {
        let places = self.options.connections_max.clamp(1, Semaphore::MAX_PERMITS);
        let server = Server {
            shared: Shared {
                router: TowerToHyperService::new(router),
                metrics,
                options: Arc::new(self.options),
                stop,
            },
            places: Arc::new(Semaphore::new(places)),
            process_places: process_places(),
            open: HashMap::new(),
            running: JoinSet::new(),
            logged: None,
        };
        Serving(tokio::spawn(server.run(self.listener)))
    }
}

/// A server that runs, for as long as this lives.
#[derive(Debug)]
pub struct Serving(JoinHandle<()>);

impl Serving {
    /// Waits for a server that was told to stop: until the answers in hand are given, or the time is over.
    pub async fn stopped_within(mut self, time: Duration) {
        if timeout(time, &mut self.0).await.is_err() {
            tracing::warn!("answers in hand were given up");
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Who a connection is counted for: an address, or the network that one IPv6 host has to itself.
fn peer_of(address: SocketAddr) -> IpAddr {
    match address.ip().to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

struct Open {
    peer: IpAddr,
    activity: Activity,
    task: AbortHandle,
}

/// Places of a connection: one of the server, one of the process.
struct Places {
    _own: OwnedSemaphorePermit,
    _process: OwnedSemaphorePermit,
}

/// What every connection has.
#[derive(Clone)]
struct Shared {
    router: TowerToHyperService<Router>,
    metrics: HttpMetrics,
    options: Arc<HttpOptions>,
    stop: watch::Receiver<bool>,
}

struct Server {
    shared: Shared,
    places: Arc<Semaphore>,
    process_places: Arc<Semaphore>,
    open: HashMap<Id, Open>,
    running: JoinSet<()>,
    logged: Option<Instant>,
}

impl Server {
    async fn run(mut self, listener: TcpListener) {
        let mut stop = self.shared.stop.clone();
        loop {
            tokio::select! {
                biased;
                () = told(&mut stop) => break,
                Some(ended) = self.running.join_next_with_id() => self.ended(&ended),
                accepted = listener.accept() => match accepted {
                    Ok((stream, address)) => self.take(stream, address).await,
                    Err(error) => self.not_accepted(&error).await,
                },
            }
        }
        drop(listener);
        // Each was told to stop, too.
        while let Some(ended) = self.running.join_next_with_id().await {
            self.ended(&ended);
        }
    }

    fn ended(&mut self, ended: &Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        self.open.remove(&id);
        self.count();
    }

    fn count(&self) {
        let open = i64::try_from(self.open.len()).unwrap_or(i64::MAX);
        self.shared.metrics.connections.set(open);
    }

    /// The service goes on whatever the system says: a caller who hung up is none, and descriptors that ran out come
    /// back when connections end.
    async fn not_accepted(&mut self, error: &io::Error) {
        if matches!(
            error.kind(),
            io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
        ) {
            return;
        }
        self.shared.metrics.turned_away(Why::Accept);
        if self
            .logged
            .is_none_or(|logged| logged.elapsed() >= ACCEPT_LOG_INTERVAL)
        {
            tracing::error!(%error, connections = self.open.len(), "no connection can be accepted; trying again");
            self.logged = Some(Instant::now());
        }
        if !self.displace(None).await {
            sleep(ACCEPT_PAUSE).await;
        }
    }

    /// Gives a connection its places, or turns it away.
    async fn take(&mut self, stream: TcpStream, address: SocketAddr) {
        let peer = peer_of(address);
        let of_peer = self.open.values().filter(|open| open.peer == peer).count();
        if of_peer >= self.shared.options.connections_per_peer_max && !self.displace(Some(peer)).await {
            return self.turn_away(stream).await;
        }
        let places = match self.find_places() {
            Some(places) => Some(places),
            None if self.displace(None).await => self.find_places(),
            None => None,
        };
        let Some(places) = places else {
            return self.turn_away(stream).await;
        };
        let activity = Activity::new();
        let (shared, watched) = (self.shared.clone(), activity.clone());
        let task = self.running.spawn(async move {
            let _places = places;
            shared.converse(stream, watched).await;
        });
        self.open.insert(task.id(), Open { peer, activity, task });
        self.count();
    }

    fn find_places(&self) -> Option<Places> {
        Some(Places {
            _own: self.places.clone().try_acquire_owned().ok()?,
            _process: self.process_places.clone().try_acquire_owned().ok()?,
        })
    }

    /// Closes the connection that has waited longest for its caller, and sees it gone. Returns whether there was one.
    async fn displace(&mut self, peer: Option<IpAddr>) -> bool {
        let waiting = self
            .open
            .iter()
            .filter(|(_, open)| peer.is_none_or(|peer| open.peer == peer));
        let mut waiting: Vec<(Instant, Id)> = waiting
            .filter_map(|(id, open)| Some((open.activity.waiting_since()?, *id)))
            .collect();
        waiting.sort_unstable_by_key(|(since, _)| *since);
        // A request may have come to any of them meanwhile.
        let displaced = waiting.into_iter().find_map(|(_, id)| {
            let open = self.open.get(&id)?;
            open.activity.close().then(|| {
                open.task.abort();
                id
            })
        });
        let Some(displaced) = displaced else {
            return false;
        };
        self.shared.metrics.turned_away(Why::Displaced);
        let gone = async {
            while self.open.contains_key(&displaced) {
                match self.running.join_next_with_id().await {
                    Some(ended) => self.ended(&ended),
                    None => return,
                }
            }
        };
        timeout(DISPLACED_WAIT, gone).await.is_ok()
    }

    /// Every place is taken by a request in hand: says so if that can be done at once.
    async fn turn_away(&self, mut stream: TcpStream) {
        self.shared.metrics.turned_away(Why::Full);
        let _ = timeout(ACCEPT_PAUSE, stream.write_all(FULL.as_bytes())).await;
    }
}

/// What a caller reads for whom there is no place.
const FULL: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 1\r\n\
    connection: close\r\ncontent-length: 83\r\n\r\n\
    {\"status\":503,\"code\":\"too_many_connections\",\"detail\":\"every connection is in use\"}\n";

/// The connection was closed while its request arrived.
#[derive(Debug)]
struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("closed: it waited too long for its caller")
    }
}

impl std::error::Error for Closed {}

impl Shared {
    /// Serves one connection to its end.
    async fn converse(self, stream: TcpStream, activity: Activity) {
        let Ok(local) = stream.local_addr() else {
            return;
        };
        // Answers are written whole; waiting for more of them gains nothing.
        let _ = stream.set_nodelay(true);
        let io = Connection::new(stream, self.options.write_time_max, activity.clone());
        let answering = (self.clone(), activity.clone());
        let service = service_fn(move |request| {
            let (shared, activity) = answering.clone();
            async move { shared.answer(request, &activity, local).await }
        });
        let mut builder = http1::Builder::new();
        // The time of a head is counted here, beside that of silence.
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEAD_LEN_MAX);
        let connection = builder.serve_connection(TokioIo::new(io), service);
        tokio::pin!(connection);
        let mut is_stopping = false;
        let mut stop = self.stop.clone();
        loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection ended early");
                    }
                    return;
                }
                () = told(&mut stop), if !is_stopping => {
                    if activity.close() {
                        return;
                    }
                    is_stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = sleep_until(self.look_again_at(&activity)) => {
                    if let Some(why) = self.is_overdue(&activity) && activity.close() {
                        self.metrics.turned_away(why);
                        return;
                    }
                }
            }
        }
    }

    /// When a connection may be overdue next. Its phase can change unseen, to one that has less time.
    fn look_again_at(&self, activity: &Activity) -> Instant {
        let HttpOptions {
            head_time_max,
            idle_time_max,
            ..
        } = *self.options;
        let soonest = Instant::now() + head_time_max.min(idle_time_max);
        match activity.phase() {
            Phase::Idle(since) => soonest.min(since + idle_time_max),
            Phase::Arriving(since) => soonest.min(since + head_time_max),
            Phase::Answering | Phase::Closed => soonest,
        }
    }

    fn is_overdue(&self, activity: &Activity) -> Option<Why> {
        let (since, time_max, why) = match activity.phase() {
            Phase::Idle(since) => (since, self.options.idle_time_max, Why::Idle),
            Phase::Arriving(since) => (since, self.options.head_time_max, Why::SlowHead),
            Phase::Answering | Phase::Closed => return None,
        };
        (since.elapsed() >= time_max).then_some(why)
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        activity: &Activity,
        local: SocketAddr,
    ) -> Result<Response<Body>, Closed> {
        let answering = activity.begin().ok_or(Closed)?;
        let rules = &self.options.rules;
        let is_public = rules.is_public(request.method(), request.uri().path());
        let is_question = request.method() == Method::OPTIONS;
        let mut response = match rules.check(request.method(), request.uri(), request.headers(), local) {
            Ok(()) => {
                let routed: Result<_, Infallible> = self.router.call(request.map(Body::new)).await;
                let Ok(response) = routed;
                if is_question { options(response) } else { response }
            }
            Err(refusal) => {
                self.metrics.turned_away(Why::Rule(refusal.code));
                problem::plain(refusal.status, refusal.code, refusal.detail)
            }
        };
        if is_public {
            let any = HeaderValue::from_static("*");
            response
                .headers_mut()
                .insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
        }
        Ok(response.map(|body| answering.with(body)))
    }
}

/// Returns once a server is told to stop, or nobody is left to tell it.
async fn told(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

/// What a resource answers to OPTIONS: the methods that the router would have named in a 405.
fn options(response: Response<Body>) -> Response<Body> {
    match response.headers().get(header::ALLOW) {
        Some(allow) if response.status() == StatusCode::METHOD_NOT_ALLOWED => {
            let mut options = Response::new(Body::empty());
            *options.status_mut() = StatusCode::NO_CONTENT;
            options.headers_mut().insert(header::ALLOW, allow.clone());
            options
        }
        _ => response,
    }
}

#[cfg(test)]
mod tests;
