//! Terms as messages, records and JSON have them.
//!
//! What a shard of contracts goes on from is a tag of the terms themselves, so that those of a genesis are encoded as they were before there were forks: no record and no message
//! of such a shard changes.

use super::{ClassPair, ContractTerms, ForkId, Instance, MAX_CLASSES, MAX_SCRATCH, Maximum, OriginId, Terms};
use crate::{
    ContractId, Hash, Slot, bounded,
    entry::{MAX_CONTRACTS, MAX_ENTRIES},
};
use serde::{Deserialize, Serialize};

/// See the module's page.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Terms", rename_all = "lowercase")]
pub(super) enum Written {
    Rules,
    Contracts(Box<OfGenesis>),
    Forked(Box<OfFork>),
}

/// Terms of contracts whose first field says what the shard goes on from.
macro_rules! terms {
    ($name:ident = $written:literal, $origin:ident: $id:ty, $variant:ident) => {
        #[derive(Serialize, Deserialize)]
        #[serde(rename = $written)]
        pub(super) struct $name {
            $origin: $id,
            begins: u64,
            first_block: u64,
            sequencer: ContractId,
            #[serde(deserialize_with = "bounded::wire_list::<_, _, MAX_CLASSES>")]
            classes: Vec<ClassPair>,
            #[serde(deserialize_with = "bounded::wire_list::<_, _, MAX_CONTRACTS>")]
            instances: Vec<Instance>,
            #[serde(deserialize_with = "bounded::wire_list::<_, _, MAX_ENTRIES>")]
            maxima: Vec<Maximum>,
            #[serde(default, deserialize_with = "bounded::wire_list::<_, _, MAX_SCRATCH>")]
            scratch: Vec<Slot>,
        }

        impl $name {
            fn of($origin: $id, terms: ContractTerms) -> Self {
                let ContractTerms { origin: _, begins, first_block, sequencer, classes, instances, maxima, scratch } =
                    terms;
                Self { $origin, begins, first_block, sequencer, classes, instances, maxima, scratch }
            }
        }

        impl From<$name> for ContractTerms {
            fn from(written: $name) -> Self {
                let $name { $origin, begins, first_block, sequencer, classes, instances, maxima, scratch } = written;
                let origin = OriginId::$variant($origin);
                Self { origin, begins, first_block, sequencer, classes, instances, maxima, scratch }
            }
        }
    };
}

terms!(OfGenesis = "ContractTerms", genesis: Hash, Genesis);
terms!(OfFork = "ForkedTerms", fork: ForkId, Fork);

impl From<Terms> for Written {
    fn from(terms: Terms) -> Self {
        match terms {
            Terms::Rules => Self::Rules,
            Terms::Contracts(terms) => match terms.origin {
                OriginId::Genesis(genesis) => Self::Contracts(Box::new(OfGenesis::of(genesis, *terms))),
                OriginId::Fork(fork) => Self::Forked(Box::new(OfFork::of(fork, *terms))),
            },
        }
    }
}

impl From<Written> for Terms {
    fn from(written: Written) -> Self {
        match written {
            Written::Rules => Self::Rules,
            Written::Contracts(terms) => Self::Contracts(Box::new((*terms).into())),
            Written::Forked(terms) => Self::Contracts(Box::new((*terms).into())),
        }
    }
}
