use super::{Script, Ticking, script};
use shardwire_protocols::keepalive::{Client, Keepalive, serve};

pub(super) fn scripts() -> Vec<Script> {
    vec![script::<Keepalive, _, _>(
        "two pings",
        |session| async move {
            let clock = Ticking::default();
            let (_, client) = Client::new(session).ping(&clock).await?;
            let (_, client) = client.ping(&clock).await?;
            Ok(client.close().await?)
        },
        |session| async move { Ok(serve(session, &Ticking::default()).await?) },
    )]
}
