//! How rooms declare events and labels.

/// Declares the events of a room: see the [crate's page](crate) for an example.
///
/// `by { label: Kind = value }` counts them by labels, `adds field` adds up a field as well (a number of bytes, say), in a counter of its own. The line is
/// as in tracing's macros and may use the fields, which are references; `LEVEL, OTHER if (condition) : (line)` takes the first other level whose condition holds.
///
/// The macro makes a struct for each event, and `Room`, by which [`Telemetry::events`](crate::Telemetry::events) knows them.
#[macro_export]
macro_rules! events {
    (
        $visible:vis room $room:literal;
        $(
            $(#[doc = $help:literal])+
            $Event:ident = $name:literal { $($field:ident: $kind:ty),* $(,)? }
            $(by { $($label:ident: $Label:ty = $value:expr),+ $(,)? })?
            $(adds $amount:ident)?
            => $level:ident $(, $other:ident if ($when:expr))* : ( $($line:tt)* );
        )+
    ) => {
        /// The room that emits these events.
        #[derive(Clone, Copy, Debug)]
        $visible struct Room;
        $(
            $(#[doc = $help])+
            #[allow(missing_docs, reason = "a field is what its name says")]
            #[derive(Clone, Debug)]
            $visible struct $Event { $($visible $field: $kind),* }
        )+
        const _: () = {
            enum Index { $($Event),+ }

            impl $crate::Declares for Room {
                const ROOM: &'static str = $room;
                const EVENTS: &'static [$crate::Declared] = &[$(<$Event as $crate::Event>::DECLARED),+];
            }

            $(
                impl $crate::Event for $Event {
                    type Room = Room;
                    const INDEX: usize = Index::$Event as usize;
                    const DECLARED: $crate::Declared = $crate::Declared {
                        name: $name,
                        help: concat!($($help),+),
                        labels: &[$($($crate::Labelled {
                            name: stringify!($label),
                            values: <$Label as $crate::Label>::VALUES,
                        }),+)?],
                        amount: $crate::events!(@amount $($amount)?),
                    }
                    .bounded();

                    #[allow(unused_variables, unused_mut, clippy::let_and_return, reason = "not every event has labels")]
                    fn series(&self) -> usize {
                        let Self { $($field),* } = self;
                        let mut series = 0;
                        $($(
                            let value: $Label = $value;
                            series = series * <$Label as $crate::Label>::VALUES.len() + $crate::Label::index(value);
                        )+)?
                        series
                    }

                    fn amount(&self) -> u64 {
                        0 $(+ u64::from(self.$amount))?
                    }

                    #[allow(unused_variables, reason = "not every field decides about the level")]
                    fn level(&self) -> $crate::tracing::Level {
                        let Self { $($field),* } = self;
                        $crate::events!(@level $level [$($other if ($when)),*])
                    }

                    #[allow(unused_variables, reason = "not every field is in the line")]
                    fn log(&self) {
                        let Self { $($field),* } = self;
                        $crate::events!(@log concat!("shardwire_", $room, "::", $name);
                            $level [$($other if ($when)),*] ($($line)*));
                    }
                }
            )+
        };
    };
    (@amount) => { None };
    (@amount $amount:ident) => { Some(stringify!($amount)) };
    (@log $target:expr; $level:ident [] $line:tt) => {
        $crate::events!(@line $target; $level $line)
    };
    (@log $target:expr; $level:ident [$other:ident if ($when:expr) $(, $($others:tt)+)?] $line:tt) => {
        if $when {
            $crate::events!(@line $target; $other $line)
        } else {
            $crate::events!(@log $target; $level [$($($others)+)?] $line)
        }
    };
    (@level $level:ident []) => {
        $crate::tracing::Level::$level
    };
    (@level $level:ident [$other:ident if ($when:expr) $(, $($others:tt)+)?]) => {
        if $when {
            $crate::tracing::Level::$other
        } else {
            $crate::events!(@level $level [$($($others)+)?])
        }
    };
    (@line $target:expr; $level:ident ($($line:tt)*)) => {
        $crate::tracing::event!(target: $target, $crate::tracing::Level::$level, $($line)*)
    };
}

/// Declares the values of a label: an enum, each variant with its text.
#[macro_export]
macro_rules! labels {
    ($(#[$about:meta])* $visible:vis enum $Label:ident { $($Value:ident = $text:literal),+ $(,)? }) => {
        $(#[$about])*
        #[allow(missing_docs, reason = "a value is what its name says")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visible enum $Label { $($Value),+ }

        impl $crate::Label for $Label {
            const VALUES: &'static [&'static str] = &[$($text),+];

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}
