//! The node itself: how it is and how loaded, reading its lists of peers again, stopping.

use crate::{
    network::{
        AGENT, Node,
        events::{ListsRead, StopAsked},
    },
    run::aside,
};
use shardwire_model::{Clock as _, Coded};
use shardwire_peers::{ConfiguredPeers, TierCounts};
use shardwire_protocols::administration::{
    ClockStatus, Counts, Failed, MAX_SHARDS_LISTED, MAX_UNMET, NodeStatus, Overview, Unmet,
    node::{Request, Response},
};
use shardwire_telemetry::Shortfall;
use std::time::Duration;

/// What a node isn't ready for whose records can't be read: beside the condition that says why, it tells that shards are missing from the answer.
pub(crate) const RECORDS: &str = "records";

impl Node {
    pub(super) async fn about_node(&self, request: &Request) -> Result<Response, Failed> {
        Ok(match request {
            Request::Status => Response::Status(Box::new(self.status().await)),
            Request::Overview => Response::Overview(Box::new(self.overview())),
            Request::Reload => {
                let named = self.reload().await.map_err(|error| Failed::of(&*error))?;
                let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
                let (allowed, denied) = (count(named.allowed.len()), count(named.denied.len()));
                Response::Reloaded { configured: count(named.configured.len()), allowed, denied }
            }
            Request::Stop => {
                self.events.emit(StopAsked {});
                self.stop_asked.cancel();
                Response::Stopping
            }
        })
    }

    async fn status(&self) -> NodeStatus {
        let (mut shards, unread) = match self.settlements(None).await {
            Ok(shards) => (shards, None),
            // When the disk fails the rest of the answer is what a person needs.
            Err(Failed { cause, next_step, .. }) => {
                (Vec::new(), Some(Unmet { condition: RECORDS.into(), cause, next_step }))
            }
        };
        shards.extend(self.runs_and_jobs());
        // After the records were read, which may be how a disk is found to fail.
        let conditions = self.host.telemetry.unmet();
        let unmet = unread.into_iter().chain(conditions.iter().map(of_condition)).take(MAX_UNMET).collect();
        let more_shards = u32::try_from(shards.len().saturating_sub(MAX_SHARDS_LISTED)).unwrap_or(u32::MAX);
        shards.truncate(MAX_SHARDS_LISTED);
        let reading = self.clock.reading();
        NodeStatus {
            peer: self.host.identity.peer(),
            network: self.host.world.network().to_owned(),
            roles: self.roles.names(),
            listen: self.endpoint.address().to_string(),
            agent: AGENT.to_owned(),
            since: reading.now.moved(self.since.ahead_of(self.clock.steady())),
            unmet,
            clock: ClockStatus {
                now: reading.now,
                jumped_ms: reading.jumped_ms,
                trust: reading.trust,
                agree: u32::try_from(reading.agree).unwrap_or(u32::MAX),
                apart: u32::try_from(reading.apart).unwrap_or(u32::MAX),
            },
            peers: self.links.status(),
            shards,
            more_shards,
        }
    }

    fn overview(&self) -> Overview {
        let peers = &self.host.peers;
        let ((gauges, marks), figures, (open, reserved)) = (peers.load().gauges(), peers.figures(), peers.open());
        let refused_tier = peers.load().refused();
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let counts = |of: TierCounts| Counts {
            connected: of.connected,
            sessions: of.sessions,
            refused: of.refused,
            waits: of.waits,
            bytes: of.bytes,
        };
        Overview {
            refused_tier,
            queue_depth: gauges.queue_depth,
            queue_watermark: marks.queue_depth,
            loop_delay_us: micros(gauges.loop_delay),
            loop_watermark_us: micros(marks.loop_delay),
            memory_bytes: gauges.memory_bytes,
            memory_watermark_bytes: marks.memory_bytes,
            connections: open as u64,
            reserved: reserved as u64,
            low: counts(figures.low),
            normal: counts(figures.normal),
            high: counts(figures.high),
            admitted: figures.admission.admitted,
            retried: figures.admission.retried,
            refused: figures.admission.refused,
            ignored: figures.admission.ignored,
            turned_away: figures.admission.turned_away,
        }
    }

    /// Reads whom the configuration names again. If it can't be read everything stays as it was.
    pub(crate) async fn reload(&self) -> Result<ConfiguredPeers, Box<dyn Coded + Send + Sync>> {
        let read = self.reload.clone();
        let named = aside(self.host.work, move || (read.0)()).await?;
        self.host.peers.configure(named.clone());
        self.forget_words().await;
        let (allowed, denied) = (named.allowed.len(), named.denied.len());
        self.events.emit(ListsRead { configured: named.configured.len(), allowed, denied });
        Ok(named)
    }
}

fn of_condition(unmet: &shardwire_telemetry::Unmet) -> Unmet {
    let Shortfall { code, why, next_step } = &unmet.shortfall;
    Unmet::new(unmet.condition, code, why, next_step)
}
