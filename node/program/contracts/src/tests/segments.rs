//! Code that no transaction uses isn't loaded to the end, and can't be run.

use super::{
    dungeon::{Dungeon, finish, plan, world},
    replay, run,
};
use crate::{Class, ReplayError, class::Segments, hints::Hints};
use shardwire_model::Felt;

const UNUSED: usize = 3_000;

#[test]
fn code_that_is_not_used_is_not_hashed() {
    let cut = Dungeon::with_unused(UNUSED);
    let mut class = cut.class("World").clone();
    class.segments = Segments::Leaf(class.bytecode.len());
    let whole = Dungeon::with_unused(UNUSED).with(class);
    let steps = [cut, whole].map(|dungeon| {
        let (transactions, _) = dungeon.play(vec![plan(1, world(), "train", &[7u64.into()]), finish()]);
        replay(&dungeon.start, &dungeon.classes, &dungeon.state, &mut transactions.into_iter()).unwrap().steps
    });
    let [cut, whole] = steps;
    println!("{cut} steps, {whole} if all is hashed");
    assert!(whole - cut > 5 * UNUSED as u64, "{cut}, {whole}");
}

#[test]
fn code_that_is_left_out_can_not_be_entered() {
    let dungeon = Dungeon::with_unused(64);
    let (transactions, _) = dungeon.play(vec![plan(1, world(), "train", &[7u64.into()]), finish()]);
    let mut classes = dungeon.classes.clone();
    let world = classes.iter_mut().find(|class| class.class_hash == crate::tree::short("World")).unwrap();
    for entry_point in &world.entry_points {
        world.bytecode[entry_point.offset] = -Felt::ONE;
    }
    let mut transactions = transactions.into_iter();
    let classes: Vec<&Class> = classes.iter().collect();
    let mut hints = Hints::new(&dungeon.start, classes, &dungeon.state, &mut transactions);
    assert!(matches!(run(&mut hints), Err(ReplayError::Broken { .. })));
    // It wasn't the hash in the end, but the call.
    assert_eq!((hints.taken, hints.calls), (1, 3));
}
