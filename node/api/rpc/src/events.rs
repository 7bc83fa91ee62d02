//! Events in pages. Pure.
//!
//! A page looks at transactions in the order of the log, from where its token says, and ends when it is full or has looked far enough; its token then
//! names the event to go on with. So each event of a range is in exactly one page, however long the pages are and however many transactions come
//! meanwhile. A range whose end isn't there yet is refused, not cut: a reader that asked for it would take it for read.

use crate::{
    block::{BlockId, Place, View},
    bounds,
    error::RpcError,
    journal::Entry,
};
use shardwire_model::{ContractId, Felt, execution::Event};
use std::{collections::HashSet, sync::Arc};

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) from: Option<BlockId>,
    pub(crate) to: Option<BlockId>,
    /// The contracts whose events are wanted; all if empty.
    pub(crate) addresses: HashSet<ContractId>,
    /// What the key at each place may be; anything if empty.
    pub(crate) keys: Vec<HashSet<Felt>>,
}

impl Filter {
    fn matches(&self, event: &Event) -> bool {
        (self.addresses.is_empty() || self.addresses.contains(&event.from))
            && self.keys.iter().enumerate().all(|(place, wanted)| {
                wanted.is_empty() || event.keys.get(place).is_some_and(|key| wanted.contains(key))
            })
    }
}

/// An event to go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Token {
    /// The place of its transaction in the log.
    place: u32,
    /// Its place among the transaction's events.
    event: usize,
}

impl Token {
    pub(crate) fn read(text: &str) -> Result<Self, RpcError> {
        let read = || {
            let (place, event) = text.split_once('-')?;
            let token = Self { place: place.parse().ok()?, event: event.parse().ok()? };
            // As it was written, and no other way.
            (token.to_text() == text).then_some(token)
        };
        read().ok_or(RpcError::Token)
    }

    pub(crate) fn to_text(self) -> String {
        format!("{}-{}", self.place, self.event)
    }
}

/// An event of a page.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) entry: Arc<Entry>,
    /// The place of its transaction in the log.
    pub(crate) place: u32,
    /// Its place among the transaction's events.
    pub(crate) event: usize,
}

/// How long a page may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageBounds {
    pub(crate) events: u64,
    pub(crate) felts: usize,
    pub(crate) transactions: u32,
}

impl PageBounds {
    /// Those for a page of so many events.
    ///
    /// # Errors
    /// [`RpcError::Page`] if they are more than [`bounds::MAX_CHUNK`].
    pub(crate) fn of(events: u64) -> Result<Self, RpcError> {
        if events > bounds::MAX_CHUNK {
            return Err(RpcError::Page);
        }
        Ok(Self { events, felts: bounds::MAX_PAGE_FELTS, transactions: bounds::MAX_PAGE_TRANSACTIONS })
    }
}

/// A page of events, and the token of the next unless this is the last.
///
/// # Errors
/// [`RpcError::NoBlock`] if an end of the range isn't there, [`RpcError::Token`] for a token that isn't of this range.
pub(crate) fn page(
    view: View<'_>,
    filter: &Filter,
    token: Option<Token>,
    limits: PageBounds,
) -> Result<(Vec<Found>, Option<Token>), RpcError> {
    // The places in the log, the second exclusive.
    let first = match filter.from {
        None => 0,
        // The next block, by its number: a reader that has read all so far asks so.
        Some(BlockId::Number(number)) if number == view.journal.number(view.height).saturating_add(1) => view.height,
        Some(id) => match view.place(id)? {
            Place::Block(height) => height.saturating_sub(1),
            Place::PreConfirmed => view.height,
        },
    };
    let end = filter.to.map_or(Ok(view.height), |id| view.height_at(id))?;
    let mut at = token.unwrap_or(Token { place: first, event: 0 });
    if token.is_some() && !(first..end).contains(&at.place) {
        return Err(RpcError::Token);
    }
    let stop = at.place.saturating_add(limits.transactions).min(end);
    let (mut found, mut felts) = (Vec::new(), 0usize);
    while at.place < stop {
        let Some(entry) = view.journal.entry(at.place) else { break };
        for (event, emitted) in entry.receipt.events.iter().enumerate().skip(at.event) {
            if !filter.matches(emitted) {
                continue;
            }
            if u64::try_from(found.len()).is_ok_and(|count| count >= limits.events) || felts >= limits.felts {
                return Ok((found, Some(Token { event, ..at })));
            }
            felts = felts.saturating_add(emitted.felts());
            found.push(Found { entry: entry.clone(), place: at.place, event });
        }
        at = Token { place: at.place + 1, event: 0 };
    }
    Ok((found, (at.place < end).then_some(at)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Journal, sample};
    use proptest::prelude::*;
    use shardwire_model::Stage;

    /// What all pages of a range have, and how many pages there were.
    fn read(journal: &Journal, filter: &Filter, limits: PageBounds) -> (Vec<(u32, usize)>, usize) {
        let view = View::new(journal, Stage::Executing);
        let (mut all, mut token, mut pages) = (Vec::new(), None, 0);
        loop {
            let (found, next) = page(view, filter, token, limits).unwrap();
            assert!(u64::try_from(found.len()).unwrap() <= limits.events);
            all.extend(found.iter().map(|it| (it.place, it.event)));
            pages += 1;
            assert!(token < next || next.is_none(), "a token leads forward");
            match next {
                None => return (all, pages),
                // What a caller sends back is text.
                Some(next) => token = Some(Token::read(&next.to_text()).unwrap()),
            }
        }
    }

    fn limits() -> impl Strategy<Value = PageBounds> {
        (1..9u64, 1..40usize, 1..5u32).prop_map(|(events, felts, transactions)| PageBounds {
            events,
            felts,
            transactions,
        })
    }

    proptest! {
        #[test]
        fn every_split_yields_each_event_exactly_once(
            counts in prop::collection::vec(0..6usize, 0..20), limits in limits(), bounds in (0..22u32, 0..22u32),
            keyed in prop::collection::vec(prop::collection::vec(0..3u64, 0..3), 0..3), addressed in prop::collection::hash_set(0..4u64, 0..3),
        ) {
            let journal = sample::journal_of(&counts);
            let height = journal.height();
            let (from, to) = (bounds.0.min(height), bounds.1.min(height));
            let filter = Filter {
                from: Some(BlockId::Number(journal.number(from))),
                to: Some(BlockId::Number(journal.number(to))),
                addresses: addressed.iter().map(|it| ContractId((*it).into())).collect(),
                keys: keyed.iter().map(|keys| keys.iter().map(|key| (*key).into()).collect()).collect(),
            };
            let wanted: Vec<(u32, usize)> = (from.saturating_sub(1)..to)
                .flat_map(|place| {
                    let events = journal.entry(place).unwrap().receipt.events.clone();
                    let matching: Vec<_> = events.iter().enumerate().filter(|(_, event)| {
                        (addressed.is_empty() || addressed.iter().any(|it| event.from.0 == (*it).into()))
                            && keyed.iter().enumerate().all(|(i, keys)| {
                                keys.is_empty() || keys.iter().any(|key| event.keys.get(i) == Some(&(*key).into()))
                            })
                    }).map(|(event, _)| (place, event)).collect();
                    matching
                })
                .collect();
            prop_assert_eq!(read(&journal, &filter, limits).0, wanted);
        }

        #[test]
        fn a_reader_at_the_head_misses_nothing(counts in prop::collection::vec(0..6usize, 1..20), limits in limits(), turns in prop::collection::vec(0..4usize, 1..40)) {
            // A reader that asks for the number of the last block and then for the range up to it, while transactions come between any two pages.
            let source = sample::journal_of(&counts);
            let journal = Journal::new(sample::origin());
            let mut coming = (0..source.height()).map(|place| Entry::clone(&source.entry(place).unwrap()));
            let mut turns = turns.into_iter().cycle();
            let (mut all, mut next) = (Vec::new(), 0);
            while next <= source.height() {
                coming.by_ref().take(turns.next().unwrap_or(1).max(1)).for_each(|entry| journal.push(entry));
                let head = journal.height();
                let number = |height| Some(BlockId::Number(journal.number(height)));
                let filter = Filter { from: number(next), to: number(head), ..Filter::default() };
                let mut token = None;
                loop {
                    let view = View::new(&journal, Stage::Executing);
                    let (found, more) = page(view, &filter, token, limits).unwrap();
                    all.extend(found.iter().map(|it| (it.place, it.event)));
                    coming.by_ref().take(turns.next().unwrap_or(0)).for_each(|entry| journal.push(entry));
                    token = more;
                    if more.is_none() {
                        break;
                    }
                }
                next = head + 1;
            }
            let wanted: Vec<_> = (0..).zip(&counts).flat_map(|(place, count)| (0..*count).map(move |event| (place, event))).collect();
            prop_assert_eq!(all, wanted);
        }

        #[test]
        fn only_tokens_as_they_were_written_are_read(text in "[0-9+-]{0,12}") {
            if let Ok(token) = Token::read(&text) {
                prop_assert_eq!(token.to_text(), text);
            }
        }
    }

    #[test]
    fn a_range_that_is_not_there_is_refused_and_the_next_block_is_empty() {
        let journal = sample::journal_of(&[1, 1]);
        let view = View::new(&journal, Stage::Executing);
        let ask = |from, to| {
            let filter = Filter { from: Some(from), to: Some(to), ..Filter::default() };
            page(view, &filter, None, PageBounds::of(10).unwrap()).map(|(found, _)| found.len())
        };
        use BlockId::{L1Accepted, Latest, Number, PreConfirmed};
        assert_eq!(ask(Number(99), Latest), Ok(2));
        assert_eq!(ask(L1Accepted, PreConfirmed), Ok(2));
        assert_eq!(ask(Latest, Latest), Ok(1));
        assert_eq!(ask(PreConfirmed, PreConfirmed), Ok(0));
        assert_eq!(ask(Number(102), Latest), Ok(0));
        for (from, to) in [(Number(103), Latest), (Number(98), Latest), (Number(99), Number(102))] {
            assert!(matches!(ask(from, to), Err(RpcError::NoBlock(_))), "{from:?} {to:?}");
        }
    }

    #[test]
    fn a_token_of_another_range_is_refused() {
        let journal = sample::journal_of(&[1, 1, 1]);
        let view = View::new(&journal, Stage::Executing);
        let filter = Filter { from: Some(BlockId::Number(101)), ..Filter::default() };
        for text in ["0-0", "3-0", "9-9"] {
            let token = Some(Token::read(text).unwrap());
            assert_eq!(page(view, &filter, token, PageBounds::of(1).unwrap()).unwrap_err(), RpcError::Token);
        }
        for text in ["", "1", "-", "1-", "a-b", "01-0", "+1-0", "1-0-0", "99999999999-0"] {
            assert_eq!(Token::read(text).unwrap_err(), RpcError::Token, "{text}");
        }
        assert_eq!(PageBounds::of(1_025).unwrap_err(), RpcError::Page);
    }
}
