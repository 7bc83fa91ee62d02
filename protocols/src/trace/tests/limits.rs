//! Bytes: the largest messages fit, longer ones are refused; the name of a job.

use super::operator::{chunk, ending, offer, operator};
use crate::{
    Signed,
    testing::{LARGEST, fits, largest_cause, largest_start, refused_when_read},
    trace::{
        Abandon, Bye, Chunk, Claim, Decline, DeclineReason, Ending, Finish, Finished, JobOffer, LeaseTerms,
        MAX_CHUNK_RAW, MAX_CHUNK_WIRE, MAX_CHUNKS, MAX_RESUMED, Nothing, Progress, Progressed, ProverStage, Pull,
        PullResponse, Ready, RefusalReason, Refused, ResumableJob, job_id,
    },
};
use shardwire_model::{Felt, Hash, Kind, MAX_ENTRIES, MAX_READS, PeerId, ShardId, Timestamp, Update};
use shardwire_transport::{Bytes, Message, PeerSignature, message::encode};

const HASH: Hash = Hash([255; 32]);

fn longest_chunk() -> Chunk {
    let body = Bytes::from(vec![7; MAX_CHUNK_WIRE as usize]);
    Chunk { index: u32::MAX, hash: HASH, raw_bytes: MAX_CHUNK_RAW, body }
}

#[test]
fn the_largest_messages_fit_and_longer_lists_are_refused() {
    let begun = ResumableJob { job: HASH, have: u32::MAX };
    fits(&Ready { resume: vec![begun; MAX_RESUMED] });
    refused_when_read(&Ready { resume: vec![begun; MAX_RESUMED + 1] });
    fits(&Nothing {});
    let largest = JobOffer {
        job: HASH,
        shard: ShardId(LARGEST),
        segment: u32::MAX,
        start: largest_start(),
        values: vec![LARGEST; MAX_ENTRIES],
        before: LARGEST,
        program: LARGEST,
        ended: true,
        settler: PeerId([255; 32]),
        assigned: PeerSignature([255; 64]),
    };
    fits(&largest);
    refused_when_read(&JobOffer { values: vec![LARGEST; MAX_ENTRIES + 1], ..largest });
    fits(&Claim { job: HASH });
    fits(&Decline { job: HASH, reason: DeclineReason::Unassigned, cause: largest_cause() });
    let (epoch, expires) = (u64::MAX, Timestamp(u64::MAX));
    fits(&Signed::by(&operator(), LeaseTerms { job: HASH, epoch, expires, prover: PeerId([255; 32]) }));
    fits(&Refused { reason: RefusalReason::Unavailable, cause: largest_cause() });
    fits(&Pull { epoch, index: u32::MAX });
    fits(&PullResponse::Chunk(longest_chunk()));
    fits(&Progress { epoch, stage: ProverStage::Proven, done: u64::MAX, of: u64::MAX });
    fits(&Progressed::Renewed { expires });
    fits(&Finish { epoch, proof: HASH });
    fits(&Finished::Lost { epoch });
    fits(&Abandon { epoch, cause: largest_cause() });
    fits(&Bye {});
}

#[test]
fn each_piece_is_read_as_it_was_written_and_nothing_else_is_read() {
    let update = Update {
        kind: Kind::Lock,
        contract: shardwire_model::ContractId(LARGEST),
        key: shardwire_model::Key(LARGEST),
        value: LARGEST,
    };
    let reads = vec![LARGEST; MAX_READS];
    let mut longest = Ending { chunks: vec![HASH; MAX_CHUNKS], steps: u64::MAX, reads, ..ending(0) };
    longest.output.updates = vec![update; MAX_ENTRIES];
    let responses = [
        PullResponse::Chunk(chunk(3)),
        PullResponse::Chunk(Chunk { body: Bytes::new(), ..chunk(3) }),
        PullResponse::Pending { index: 9 },
        PullResponse::End(ending(0).into()),
        PullResponse::End(longest.clone().into()),
        PullResponse::Lost { epoch: u64::MAX },
    ];
    for response in responses {
        let bytes = encode(&response).unwrap();
        assert_eq!(PullResponse::decode(bytes.clone().into()).unwrap(), response);
        if !matches!(response, PullResponse::Chunk(_)) {
            let longer = [&bytes[..], &[0]].concat();
            assert!(PullResponse::decode(Bytes::from(longer).into()).is_err(), "bytes after the message");
        }
        assert!(PullResponse::decode(bytes.slice(..bytes.len().min(5)).into()).is_err() || bytes.len() <= 5);
    }
    let too_many_chunks = Ending { chunks: vec![HASH; MAX_CHUNKS + 1], ..ending(0) };
    refused_when_read(&too_many_chunks);
    let too_many_reads = Ending { reads: vec![LARGEST; MAX_READS + 1], ..ending(0) };
    refused_when_read(&too_many_reads);
    longest.output.updates.push(update);
    refused_when_read(&longest);
    let too_long = Chunk { raw_bytes: MAX_CHUNK_RAW + 1, ..chunk(0) };
    let refused = PullResponse::decode(encode(&PullResponse::Chunk(too_long)).unwrap().into()).unwrap_err();
    assert_eq!(refused.to_string(), "a chunk longer than its bound");
    assert!(PullResponse::decode(Bytes::from_static(&[4]).into()).is_err(), "an unknown response");
}

#[test]
fn a_job_is_of_the_operator_to_which_its_settler_has_assigned_the_run_from_this_state() {
    let mine = offer();
    assert!(mine.is_assigned_to(operator().peer()));
    assert!(!mine.is_assigned_to(PeerId([3; 32])));
    let others = [
        JobOffer { settler: operator().peer(), ..offer() },
        JobOffer { values: vec![Felt::TWO; mine.values.len()], ..offer() },
        JobOffer { assigned: PeerSignature([0; 64]), ..offer() },
    ];
    assert!(others.iter().all(|other| !other.is_assigned_to(operator().peer())));
}

#[test]
fn a_job_has_the_name_of_its_content() {
    let names = [
        job_id(Felt::ONE, Felt::TWO, Felt::THREE, 0),
        job_id(Felt::TWO, Felt::TWO, Felt::THREE, 0),
        job_id(Felt::ONE, Felt::THREE, Felt::THREE, 0),
        job_id(Felt::ONE, Felt::TWO, Felt::TWO, 0),
        job_id(Felt::ONE, Felt::TWO, Felt::THREE, 1),
    ];
    assert_eq!(std::collections::BTreeSet::from(names).len(), names.len());
    assert!(offer().validate().is_ok());
    // Pinned: provers and operators of any version must compute the same.
    assert_eq!(names[0].to_string(), "2ea451df6df089effe5706d31b47505c4de918002cd59727cefcd4edc95bdf85");
}
