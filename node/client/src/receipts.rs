//! Compares an operator's receipts: two that contradict each other are evidence against it.

use shardwire_model::{Hash, PeerId};
use shardwire_protocols::{
    evidence::{Accusation, Evidence, Shown, forked},
    ingress::{Outcome, Receipt},
};
use std::collections::BTreeMap;

/// The receipts of accepted transactions: one a transaction that is submitted.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    by_place: BTreeMap<u32, Receipt>,
    places: BTreeMap<Hash, u32>,
}

impl Receipts {
    /// Takes up a receipt whose signature is verified. If it contradicts an earlier one: what both show, and the piece of evidence.
    pub(super) fn add(&mut self, operator: PeerId, receipt: &Receipt) -> Option<(Shown, Accusation)> {
        let content = &receipt.statement;
        let Outcome::Accepted { sequence, .. } = content.outcome else { return None };
        let elsewhere = self.places.get(&content.transaction).and_then(|place| self.by_place.get(place));
        for earlier in [self.by_place.get(&sequence), elsewhere].into_iter().flatten() {
            if let Some(shown) = forked(&earlier.statement, content) {
                let evidence = Evidence::Receipts(Box::new([earlier.clone(), receipt.clone()]));
                return Some((shown, Accusation { accused: operator, evidence }));
            }
        }
        self.places.insert(content.transaction, sequence);
        self.by_place.insert(sequence, receipt.clone());
        None
    }
}
