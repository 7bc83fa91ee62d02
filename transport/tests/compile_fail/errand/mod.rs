//! A protocol for what must not compile: an order, then a parcel and thanks, or a regret.
#![allow(dead_code)]

use serde::{Deserialize, Serialize};
use shardwire_transport::algebra::{Eps, HasDual, Offer, Recv, Send};
use shardwire_transport::{Protocol, message};
use std::time::Duration;

#[derive(Debug, Serialize, Deserialize)]
pub struct Order;
#[derive(Debug, Serialize, Deserialize)]
pub struct Parcel;
#[derive(Debug, Serialize, Deserialize)]
pub struct Thanks;
#[derive(Debug, Serialize, Deserialize)]
pub struct Regret;
message!(Order, max_bytes = 0, deadline = Duration::from_secs(10));
message!(Parcel, max_bytes = 0, deadline = Duration::from_secs(10));
message!(Thanks, max_bytes = 0, deadline = Duration::from_secs(10));
message!(Regret, max_bytes = 0, deadline = Duration::from_secs(10));

pub struct Errand;
impl Protocol for Errand {
    const NAME: &'static str = "errand";
    const VERSION: u16 = 1;
    type Initiator = Send<Order, Offer<Recv<Parcel, Send<Thanks, Eps>>, Recv<Regret, Eps>>>;
    type Responder = <Self::Initiator as HasDual>::Dual;
}
