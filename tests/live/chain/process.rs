//! Processes that can be killed: this very test binary, started again with an order in its environment.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use serde::Serialize;

use crate::fixture::until;

/// Holds the JSON of an [`Order`](super::child::Order) for a process that is to be one part of the chain.
pub(crate) const ORDER: &str = "LOTPROOF_TEST_CHAIN_ORDER";

/// A child and what it says; killed when dropped.
pub(crate) struct Process {
    child: Child,
    said: PathBuf,
    complained: PathBuf,
}

impl Process {
    /// Starts one. What it says replaces what an earlier one of that name said.
    pub(crate) fn start(folder: &Path, name: &str, order: &impl Serialize) -> Self {
        let said = folder.join(format!("{name}.out"));
        let complained = folder.join(format!("{name}.err"));
        let child = Command::new(std::env::current_exe().expect("a path"))
            .args(["--exact", "chain::child::ordered", "--nocapture"])
            .env(ORDER, serde_json::to_string(order).expect("an order"))
            .stdin(Stdio::null())
            .stdout(File::create(&said).expect("a file"))
            .stderr(File::create(&complained).expect("a file"))
            .spawn()
            .expect("the test binary runs again");
        Self {
            child,
            said,
            complained,
        }
    }

    /// SIGKILL, by its id.
    pub(crate) fn kill(&mut self) {
        // Fails only if it has ended, which is what we want.
        let _ = self.child.kill();
        self.child.wait().expect("our child");
    }

    pub(crate) fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("our child")
    }

    /// Waits for its end.
    pub(crate) async fn end(&mut self, what: &str) -> ExitStatus {
        let ended = std::cell::RefCell::new(self);
        until(what, async || ended.borrow_mut().has_ended().is_some()).await;
        let status = ended.borrow_mut().has_ended();
        status.expect("it has ended")
    }

    /// The rest of the first line that begins like this.
    pub(crate) fn line(&self, begins: &str) -> Option<String> {
        let said = fs::read_to_string(&self.said).unwrap_or_default();
        let whole = said.rsplit_once('\n').map_or("", |(whole, _)| whole);
        // The test harness writes its own words into the first line.
        let rest = whole.lines().find_map(|line| line.split_once(begins));
        rest.map(|(_, rest)| rest.to_owned())
    }

    /// Waits for such a line. A child that ends before it is a failure.
    pub(crate) async fn wait_for(&mut self, begins: &str) -> String {
        let child = std::cell::RefCell::new(self);
        until(&format!("a child to say {begins:?}"), async || {
            let mut child = child.borrow_mut();
            if child.line(begins).is_some() {
                return true;
            }
            let ended = child.has_ended();
            assert!(ended.is_none(), "it ended ({ended:?}):\n{}", child.complaint());
            false
        })
        .await;
        let line = child.borrow().line(begins);
        line.expect("it has said so")
    }

    /// What it wrote to standard error.
    pub(crate) fn complaint(&self) -> String {
        fs::read_to_string(&self.complained).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
