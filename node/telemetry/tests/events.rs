//! One declaration gives a line in the log, a counter and a value; they agree.

use shardwire_telemetry::{
    Counter, Declares as _, Event as _, Family, Histogram, MAX_SERIES, Observer, Seen, Telemetry, Unit, events, labels,
};
use std::{
    fmt::{self, Write as _},
    sync::{Arc, Mutex},
};
use tracing::{
    Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

labels! {
    /// How a parcel left.
    pub enum By { Road = "road", Sea = "sea" }
}

labels! {
    /// How heavy it was.
    pub enum Weight { Light = "light", Heavy = "heavy", Huge = "huge" }
}

fn weight(grams: u64) -> Weight {
    match grams {
        0..1000 => Weight::Light,
        1000..10_000 => Weight::Heavy,
        _ => Weight::Huge,
    }
}

events! {
    pub room "post";

    /// A parcel
    /// left the office.
    ParcelSent = "parcel_sent" { number: u32, to: String, grams: u64, by: By }
        by { by: By = *by, weight: Weight = weight(*grams) }
        adds grams
        => INFO, WARN if (*by == By::Sea), ERROR if (*grams == 0) : (number, to = %to.to_lowercase(), "a parcel leaves by {by:?}");

    /// The office is open.
    Opened = "opened" {} => DEBUG : ("open");
}

/// What is logged: level, target, message and fields.
#[derive(Debug, Default)]
struct Log(Mutex<Vec<(Level, String, String)>>);

#[derive(Default)]
struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, "{}={value:?} ", field.name());
    }
}

struct Ear(Arc<Log>);

impl Subscriber for Ear {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut words = Words::default();
        event.record(&mut words);
        let metadata = event.metadata();
        self.0.0.lock().unwrap().push((*metadata.level(), metadata.target().to_owned(), words.0));
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[derive(Clone, Debug, Default)]
struct Watching(Arc<Mutex<Vec<Seen>>>);

impl Observer for Watching {
    fn observe(&self, event: Seen) {
        self.0.lock().unwrap().push(event);
    }
}

fn sent(grams: u64, by: By) -> ParcelSent {
    ParcelSent { number: 7, to: "HER".into(), grams, by }
}

#[test]
fn line_counter_and_value_of_an_event_agree() {
    let (log, watching) = (Arc::new(Log::default()), Watching::default());
    let telemetry = Telemetry::observed_by(watching.clone());
    let post = telemetry.events::<Room>();
    tracing::subscriber::with_default(Ear(log.clone()), || {
        post.emit(Opened {});
        post.emit(sent(500, By::Road));
        post.emit(sent(20_000, By::Sea));
        post.emit(sent(0, By::Sea));
        // Of two conditions that hold the first one is taken; the other alone is one, too.
        post.emit(sent(0, By::Road));
    });
    let lines = log.0.lock().unwrap();
    let line = |level, way: &str| {
        (level, "shardwire_post::parcel_sent".to_owned(), format!("message=a parcel leaves by {way} number=7 to=her "))
    };
    assert_eq!(lines[0], (Level::DEBUG, "shardwire_post::opened".to_owned(), "message=open ".to_owned()));
    assert_eq!(
        lines[1..],
        [line(Level::INFO, "Road"), line(Level::WARN, "Sea"), line(Level::WARN, "Sea"), line(Level::ERROR, "Road")]
    );
    let seen = watching.0.lock().unwrap();
    assert_eq!(
        seen.iter().map(Seen::name).collect::<Vec<_>>(),
        ["opened"].into_iter().chain(["parcel_sent"; 4]).collect::<Vec<_>>()
    );
    assert!(seen[0].get::<Opened>().is_some() && seen[0].get::<ParcelSent>().is_none());
    let parcel = seen[2].get::<ParcelSent>().unwrap();
    assert_eq!((seen[2].room(), parcel.grams, parcel.by), ("post", 20_000, By::Sea));
    assert_eq!(format!("{:?}", seen[2]), r#"post ParcelSent { number: 7, to: "HER", grams: 20000, by: Sea }"#);
    assert_eq!(
        telemetry.to_text(),
        "\
# HELP shardwire_post_opened The office is open
# TYPE shardwire_post_opened counter
shardwire_post_opened_total 1
# HELP shardwire_post_parcel_sent A parcel left the office
# TYPE shardwire_post_parcel_sent counter
shardwire_post_parcel_sent_total{by=\"road\",weight=\"light\"} 2
shardwire_post_parcel_sent_total{by=\"road\",weight=\"heavy\"} 0
shardwire_post_parcel_sent_total{by=\"road\",weight=\"huge\"} 0
shardwire_post_parcel_sent_total{by=\"sea\",weight=\"light\"} 1
shardwire_post_parcel_sent_total{by=\"sea\",weight=\"heavy\"} 0
shardwire_post_parcel_sent_total{by=\"sea\",weight=\"huge\"} 1
# HELP shardwire_post_parcel_sent_grams A parcel left the office: grams in all
# TYPE shardwire_post_parcel_sent_grams counter
# UNIT shardwire_post_parcel_sent_grams grams
shardwire_post_parcel_sent_grams_total 20500
# HELP shardwire_telemetry_lines_held_back Lines of the log that weren't written, because there were too many of one event
# TYPE shardwire_telemetry_lines_held_back counter
shardwire_telemetry_lines_held_back_total 0
# EOF
"
    );
}

#[test]
fn who_asks_again_for_a_rooms_events_counts_on() {
    let telemetry = Telemetry::default();
    telemetry.events::<Room>().emit(Opened {});
    telemetry.clone().events::<Room>().emit(Opened {});
    assert!(telemetry.to_text().contains("\nshardwire_post_opened_total 2\n"));
}

#[test]
fn a_room_registers_what_is_no_event() {
    let (telemetry, sorted, sizes) = (Telemetry::default(), <Counter>::default(), Histogram::new([1.0, 8.0]));
    telemetry.register(Family::of("post", "sorted", "Letters sorted"), sorted.clone());
    telemetry.register(Family::of("post", "bag", "Size of a bag").unit(Unit::Bytes), sizes.clone());
    telemetry
        .read_gauges(Family::of("post", "clerks", "Clerks at work"), ["at"], || vec![(["door"], 2), (["desk"], 3)]);
    sorted.inc_by(4);
    sizes.observe(5.0);
    assert_eq!(
        telemetry.to_text(),
        "\
# HELP shardwire_post_bag_bytes Size of a bag
# TYPE shardwire_post_bag_bytes histogram
# UNIT shardwire_post_bag_bytes bytes
shardwire_post_bag_bytes_sum 5.0
shardwire_post_bag_bytes_count 1
shardwire_post_bag_bytes_bucket{le=\"1.0\"} 0
shardwire_post_bag_bytes_bucket{le=\"8.0\"} 1
shardwire_post_bag_bytes_bucket{le=\"+Inf\"} 1
# HELP shardwire_post_clerks Clerks at work
# TYPE shardwire_post_clerks gauge
shardwire_post_clerks{at=\"door\"} 2
shardwire_post_clerks{at=\"desk\"} 3
# HELP shardwire_post_sorted Letters sorted
# TYPE shardwire_post_sorted counter
shardwire_post_sorted_total 4
# EOF
"
    );
}

#[test]
fn a_family_has_a_bound() {
    // What is declared is checked when it is compiled; what is read, when it is read.
    assert!(Room::EVENTS.iter().all(|it| it.labels.iter().map(|it| it.values.len()).product::<usize>() <= MAX_SERIES));
    assert_eq!(ParcelSent::DECLARED.labels.len(), 2);
    let telemetry = Telemetry::default();
    telemetry.read_counters(Family::of("post", "many", "Too many"), ["of"], || vec![(["same"], 1); MAX_SERIES + 1]);
    assert_eq!(telemetry.to_text().matches("shardwire_post_many_total{").count(), MAX_SERIES);
}
