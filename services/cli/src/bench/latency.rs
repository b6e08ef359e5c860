//! From publishing to the receipt, at a steady rate that does not wait for answers.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{
    receipts::{Receipts, prove},
    world::{Sent, World},
};

/// Publishes `statements` at `rate` a second, each at its moment, whether or not earlier ones have been
/// receipted. How long after that moment each one's receipt was there; every one is proven.
#[expect(clippy::disallowed_methods, reason = "measures")]
pub(super) async fn latencies(
    world: &World,
    receipts: Receipts,
    statements: &[Sent],
    rate: u32,
) -> Result<Vec<Duration>> {
    let count = statements.len();
    let receiving = tokio::spawn(receipts.take(count));
    let start = Instant::now() + Duration::from_millis(10);
    let moment = |number: u32| start + Duration::from_secs(1) * number / rate;
    let client = world.bus.client();
    for (number, Sent { feed, statement }) in (0..).zip(statements) {
        tokio::time::sleep_until(moment(number).into()).await;
        // Without asking for JetStream's acknowledgement: the receipt is what counts.
        client
            .publish(world.names.statement(feed), statement.envelope.clone())
            .await?;
    }
    let received = receiving.await??;
    let first = prove(&received, statements, &world.trust)?;
    let latency = |(number, sent): (u32, &Sent)| {
        let at = first[&(sent.feed, sent.statement.sequence)];
        at.saturating_duration_since(moment(number))
    };
    Ok((0..).zip(statements).map(latency).collect())
}
