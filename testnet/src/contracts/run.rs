//! The life of the game's shard, on a network of three processes whose operator serves wallets.
//!
//! Bounds: those of [`follow`](crate::follow), and [`PATIENCE`] until the operator shows the shard to wallets.

use super::{
    ContractsError, Report,
    game::{self, Game},
    play::{self, Played, Table},
    prepared::{self, FIRST_BLOCK, Prepared, Standing},
    recompute::{Books, Came},
    report::Counts,
};
use crate::{
    dungeon::Options,
    error::TestnetError,
    follow::{Followed, LOOK_EVERY, Players, follow, judge, settled},
    limits::PATIENCE,
    network::{Network, NetworkError, NetworkFolder, Programs},
    progress::Reporter,
    watch::Watch,
};
use shardwire::host::Platform;
use shardwire_model::{Felt, Role, ShardId, contracts::chain_id, felt::short};
use shardwire_starknet::{Rpc, RpcError};
use std::{fs, num::NonZeroU64, sync::Arc};
use tokio::time::{Instant, sleep};

/// What the operator's configuration has beyond every operator's: a door on any free port of this machine.
const DOOR: &str = "rpc.listen = \"127.0.0.1:0\"\n";

/// A game with all that it is started with.
#[derive(Debug)]
pub struct Playing {
    game: Arc<Game>,
    prepared: Prepared,
    /// What its operator is told of its provers' memory, if anything.
    proof_memory: Option<NonZeroU64>,
}

impl Playing {
    /// The game of these options, with its classes compiled.
    ///
    /// # Errors
    /// [`ContractsError::Players`] or [`ContractsError::Transactions`] if the options are beyond their bounds, [`ContractsError::Class`] if a class doesn't compile.
    pub fn new(options: Options) -> Result<Self, ContractsError> {
        game::check(options)?;
        Self::of(Game::of(options))
    }

    /// This game, with its classes compiled.
    ///
    /// # Errors
    /// [`ContractsError::Class`] if a class doesn't compile.
    pub fn of(game: Game) -> Result<Self, ContractsError> {
        let prepared = Prepared::of(&game)?;
        Ok(Self { game: Arc::new(game), prepared, proof_memory: None })
    }

    /// The same at an operator that lets a proof take so many bytes of its prover's memory, and cuts what takes more.
    #[must_use]
    pub fn with_proof_memory(self, bytes: Option<NonZeroU64>) -> Self {
        Self { proof_memory: bytes, ..self }
    }

    /// The game.
    #[must_use]
    pub fn game(&self) -> &Game {
        &self.game
    }

    /// Every contract as the shard begins with it, what settles included.
    #[must_use]
    pub fn standing(&self) -> Vec<Standing> {
        self.prepared.standing(&self.game)
    }

    /// The hashes of all classes, those of no contract included.
    pub fn classes(&self) -> impl Iterator<Item = Felt> {
        self.prepared.class_hashes()
    }

    /// Makes the nodes' data folders: the World has what the game begins from, the nodes its genesis, the operator a door.
    ///
    /// # Errors
    /// [`NetworkError::Folder`] if a file can't be written, [`NetworkError::Init`] if a node's folder can't be made.
    pub async fn network(&self, folder: NetworkFolder, programs: &Programs) -> Result<Network, NetworkError> {
        let path = folder.path().join("world.json");
        let written = fs::write(&path, prepared::world(&self.game).to_genesis_text());
        written.map_err(|reason| NetworkError::Folder { path: path.clone(), reason })?;
        // For people who play on by hand, as docs/contracts.md says.
        for player in &self.game.players {
            let path = folder.path().join(format!("{}.key", player.name));
            let secret = format!("{:#x}\n", player.secret);
            let written = shardwire_files::secret::write(&path, secret.as_bytes());
            written.map_err(|reason| NetworkError::Folder { path, reason })?;
        }
        let mut network = Network::with_world(folder, programs, &path).await?;
        for role in [Role::Settler, Role::Operator] {
            self.prepared.give(network.node(role).data())?;
        }
        let memory = self.proof_memory.map(|bytes| format!("operator.proof_memory_bytes = {bytes}\n"));
        network.node_mut(Role::Operator).set(&[DOOR, &memory.unwrap_or_default()].concat());
        Ok(network)
    }

    /// How many transactions there are.
    #[must_use]
    pub fn transactions(&self) -> usize {
        self.game.plans.iter().map(Vec::len).sum()
    }

    /// How many play.
    #[must_use]
    pub fn players(&self) -> usize {
        self.game.players.len()
    }
}

/// Plays the game on a network that runs, and judges what is settled.
///
/// # Errors
/// [`TestnetError::Late`], [`TestnetError::Shard`], [`TestnetError::Contracts`] or another variant if the shard isn't settled. A shard that settles wrongly is not an error but a
/// difference in the [report](Report::is_ok).
pub async fn run(network: &mut Network, playing: &Playing, reporter: &mut Reporter) -> Result<Report, TestnetError> {
    let game = &playing.game;
    let mut watch = Watch::new(network);
    let table = open_watched(network, &mut watch, playing, &mut |line| reporter.say(line)).await?;
    let (shard, it) = (table.shard, game.clone());
    let players =
        Players::send(playing.transactions(), |receipts| async move { Ok(play::play(&table, &it, receipts).await?) });
    let Followed { figures, storage, took, came: played } =
        follow(network, &mut watch, shard, players, &mut Vec::new(), reporter).await?;
    let (books, counts, mut wrong) = recomputed(game, &played);
    let expected = prepared::expected(game, &books);
    let settled = settled(&storage);
    let world = prepared::world(game);
    wrong.extend(judge(&world, &expected, &figures, &storage, &settled));
    let names = game.players.iter().map(|it| (it.account.address().0, it.name.clone())).collect();
    Ok(Report { figures, counts, world, names, settled, differences: wrong, took, played })
}

/// Starts the game's shard on a network that runs, and waits until its players can reach it. `say` hears where that is.
///
/// # Errors
/// [`TestnetError::Client`] if the settler doesn't start it, [`TestnetError::Contracts`] if the operator has no door or doesn't show the shard within [`PATIENCE`].
pub async fn open(network: &mut Network, playing: &Playing, say: &mut dyn FnMut(&str)) -> Result<Table, TestnetError> {
    let mut watch = Watch::new(network);
    open_watched(network, &mut watch, playing, say).await
}

async fn open_watched(
    network: &mut Network,
    watch: &mut Watch,
    playing: &Playing,
    say: &mut dyn FnMut(&str),
) -> Result<Table, TestnetError> {
    let Playing { game, prepared, .. } = playing;
    let begins = Platform::system().clock.now().0 / 1_000;
    let operator = network.node(Role::Operator);
    let door = operator.rpc().ok_or(ContractsError::NoDoor)?;
    let request = prepared.request(game, shardwire_contracts::hash(), operator.peer(), begins);
    let asked = network.folder().path().join("request.json");
    // Its fields are plain: they always encode.
    let written = fs::write(&asked, serde_json::to_string_pretty(&request).unwrap_or_default());
    written.map_err(|reason| NetworkError::Folder { path: asked, reason })?;
    let start = watch.settler().await?.start_shard(request, None).await?;
    let address = format!("http://{door}/shard/{}/rpc/v0_10", start.shard);
    say(&format!("shard {} is started; wallets find it at {address}", start.shard.short()));
    let rpc = Rpc::new(&address).map_err(ContractsError::from)?;
    let chain = opened(&rpc, start.shard).await?;
    let expires = start.deadline.0 / 1_000;
    Ok(Table { shard: start.shard, rpc, chain, first_block: FIRST_BLOCK, expires })
}

/// Waits until the operator has the shard and shows it; returns its chain id.
async fn opened(rpc: &Rpc, shard: ShardId) -> Result<Felt, TestnetError> {
    let (since, wanted) = (Instant::now(), short(&chain_id(shard)));
    loop {
        match rpc.chain_id().await {
            Ok(said) if said == wanted => return Ok(wanted),
            // What is signed for another chain must not be signed.
            Ok(said) => return Err(ContractsError::Absurd(format!("the shard's chain id is {said:#x}")).into()),
            Err(error @ (RpcError::Status { .. } | RpcError::Refused { .. })) if since.elapsed() > PATIENCE => {
                return Err(ContractsError::from(error).into());
            }
            Err(RpcError::Status { .. } | RpcError::Refused { .. }) => sleep(LOOK_EVERY).await,
            Err(error) => return Err(ContractsError::from(error).into()),
        }
    }
}

/// What must have come of the transactions in the order of the shard's blocks, and what the door says otherwise of them.
fn recomputed(game: &Game, played: &Played) -> (Books, Counts, Vec<String>) {
    let (mut books, mut counts, mut wrong) = (Books::first(game), Counts::default(), Vec::new());
    let mut next = vec![0; game.players.len()];
    for (number, logged) in played.log.iter().enumerate() {
        let found = played.sent.get(&logged.hash).copied();
        let Some((player, place)) = found.filter(|(player, place)| next.get(*player) == Some(place)) else {
            wrong.push(format!("transaction {number} is none that a player sent next"));
            continue;
        };
        next[player] += 1;
        let Came { reverted, inner_failures, calls } = books.play(player, game.plans[player][place].deeds());
        counts.invokes += u64::from(game.plans[player][place].is_of_account());
        if reverted != logged.reverted {
            let say = |it| if it { "reverted" } else { "not reverted" };
            wrong.push(format!("transaction {number} is {}, recomputed {}", say(logged.reverted), say(reverted)));
        }
        counts.calls += calls;
        counts.inner_failures += inner_failures;
        counts.reverted += u64::from(reverted);
    }
    if played.log.len() != played.sent.len() {
        wrong.push(format!("{} transactions are in the shard, {} were sent", played.log.len(), played.sent.len()));
    }
    if played.failures != Felt::from(counts.inner_failures) {
        wrong.push(format!(
            "the World counts {} failures inside, recomputed {}",
            played.failures, counts.inner_failures
        ));
    }
    (books, counts, wrong)
}
