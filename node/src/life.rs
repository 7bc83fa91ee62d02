//! The node starts and aborts shards for its command line, and tells what it has signed of their lives.

use crate::history::Lives as _;
use crate::{
    control::{Failed, Impossible, failed},
    network::Node,
};
use shardwire_model::{PeerId, ShardId, life::Why};
use shardwire_protocols::life::{After, Answer as _, Handler, Lives, MAX_LISTED, Request, Response};

impl Node {
    fn live(&self, peer: PeerId, request: Request) -> Result<Response, Failed> {
        Ok(match request {
            Request::Start { request, timeout_s } => {
                let (start, deadline) = self.settler()?.start(&request, peer, timeout_s).map_err(failed)?;
                Response::Started { start: Box::new(start), deadline }
            }
            Request::Abort { shard } => {
                let at = self.settler()?.abort(shard, Why::Asked { by: peer }).map_err(failed)?;
                Response::Aborted { at }
            }
            Request::History { shard, after } => self.history(shard, after)?,
        })
    }

    fn history(&self, shard: ShardId, after: Option<After>) -> Result<Response, Failed> {
        let mut entries = self.host.store.entries(&shard.0.to_bytes_be()).map_err(failed)?;
        if entries.is_empty() {
            return Err(failed(Impossible::UnknownShard(shard)));
        }
        entries.retain(|entry| Some(After::of(&entry.statement)) > after);
        let more = entries.len() > MAX_LISTED;
        entries.truncate(MAX_LISTED);
        Ok(Response::History { entries, more })
    }
}

impl Handler<Lives> for Node {
    /// Who started a shard may abort it, whether it still controls the node or not.
    fn allows(&self, peer: PeerId, request: &Request) -> bool {
        let started = |shard| self.roles.settler.as_ref().is_some_and(|it| it.starter(shard) == Some(peer));
        self.may_control(peer) || matches!(request, Request::Abort { shard } if started(*shard))
    }

    async fn handle(&self, peer: PeerId, request: Request) -> Response {
        match self.live(peer, request) {
            Ok(response) => response,
            Err(error) => Response::failed(&*error),
        }
    }
}
