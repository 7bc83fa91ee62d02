//! How a class is told to a wallet.

use serde::Serialize;
use shardwire_model::{
    Felt,
    sierra::{self, Sierra},
};

/// `CONTRACT_CLASS`.
#[derive(Serialize)]
pub(crate) struct ContractClass<'a> {
    sierra_program: &'a [Felt],
    contract_class_version: &'a str,
    entry_points_by_type: EntryPoints,
    abi: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
struct EntryPoints {
    constructor: Vec<EntryPoint>,
    external: Vec<EntryPoint>,
    l1_handler: Vec<EntryPoint>,
}

#[derive(Serialize)]
struct EntryPoint {
    selector: Felt,
    function_idx: usize,
}

impl<'a> From<&'a Sierra> for ContractClass<'a> {
    fn from(class: &'a Sierra) -> Self {
        let points = |points: &[sierra::EntryPoint]| {
            points.iter().map(|it| EntryPoint { selector: it.selector, function_idx: it.function }).collect()
        };
        Self {
            sierra_program: &class.program,
            contract_class_version: &class.version,
            entry_points_by_type: EntryPoints {
                constructor: points(&class.constructor),
                external: points(&class.external),
                l1_handler: points(&class.l1_handler),
            },
            abi: &class.abi,
        }
    }
}
