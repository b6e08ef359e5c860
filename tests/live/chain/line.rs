//! A line to the bus that can be cut: connections go through it, until they do not.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// Carries connections to a server for as long as it is whole.
pub(crate) struct Line {
    address: SocketAddr,
    is_cut: watch::Sender<bool>,
    carrying: Arc<Mutex<Vec<JoinHandle<()>>>>,
    taking: JoinHandle<()>,
}

impl Line {
    /// A line to the server at this `nats://` address.
    pub(crate) async fn to(url: &str) -> Self {
        let target = url.trim_start_matches("nats://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (is_cut, cut) = watch::channel(false);
        let carrying: Arc<Mutex<Vec<JoinHandle<()>>>> = Arc::default();
        let carried = carrying.clone();
        let taking = tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                if *cut.borrow() {
                    continue;
                }
                let target = target.clone();
                let carry = tokio::spawn(async move {
                    if let Ok(mut far) = TcpStream::connect(target).await {
                        // Ends with either side; nobody needs to hear of it.
                        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                    }
                });
                carried.lock().unwrap_or_else(PoisonError::into_inner).push(carry);
            }
        });
        Self {
            address,
            is_cut,
            carrying,
            taking,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Breaks every connection, and takes no more.
    pub(crate) fn cut(&self) {
        self.is_cut.send_replace(true);
        let mut carrying = self.carrying.lock().unwrap_or_else(PoisonError::into_inner);
        carrying.drain(..).for_each(|carry| carry.abort());
    }

    /// Takes connections again.
    pub(crate) fn mend(&self) {
        self.is_cut.send_replace(false);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.cut();
        self.taking.abort();
    }
}
