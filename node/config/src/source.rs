//! Where values come from, and which of several wins: flag over environment over file over default.

use super::setting::{Setting, nearest};
use std::{collections::BTreeMap, fmt, path::PathBuf};

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody gave it.
    Default,
    /// In the configuration file.
    File {
        /// The file's path.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
    },
    /// In the environment.
    Environment(&'static str),
    /// On the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default"),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// A value as somebody wrote it, and where each part of it stands.
#[derive(Clone, Debug)]
pub(super) struct Given {
    /// Where the setting is.
    pub(super) origin: Origin,
    /// One text, or any number of them for a list.
    pub(super) texts: Vec<(String, Origin)>,
}

impl Given {
    /// As it was written.
    pub(super) fn said(&self) -> String {
        self.texts.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// The values of one source. A list given by a stronger source replaces a weaker one's, it isn't added to it.
pub(super) type Layer = BTreeMap<Setting, Given>;

/// What was given on the command line.
#[derive(Clone, Debug, Default)]
pub struct Flags(Layer);

impl Flags {
    /// Adds the values of a setting. No value means that the flag wasn't given.
    #[must_use]
    pub fn with<T: ToString>(mut self, setting: Setting, values: impl IntoIterator<Item = T>) -> Self {
        let origin = Origin::Flag(setting.names().flag);
        let texts: Vec<_> = values.into_iter().map(|value| (value.to_string(), origin.clone())).collect();
        if !texts.is_empty() {
            self.0.insert(setting, Given { origin, texts });
        }
        self
    }

    pub(super) fn into_layer(self) -> Layer {
        self.0
    }
}

/// The variables of the environment that begin with `SHARDWIRE_`.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

/// What every variable's name begins with.
const PREFIX: &str = "SHARDWIRE_";
/// A variable that is no setting: it says where the settings are.
const DATA: &str = "SHARDWIRE_DATA";

impl Environment {
    /// Those of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let text = |it: std::ffi::OsString| it.to_string_lossy().into_owned();
        Self::of(std::env::vars_os().map(|(name, value)| (text(name), text(value))))
    }

    /// Those among the given ones.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(variables.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect())
    }

    /// Lists are separated by commas; an empty variable is an empty list.
    pub(super) fn to_layer(&self) -> Layer {
        let mut layer = Layer::new();
        for setting in Setting::ALL {
            let names = setting.names();
            let Some(value) = self.0.get(names.env) else { continue };
            let origin = Origin::Environment(names.env);
            let texts = match names.list {
                true => value.split(',').map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect(),
                false => vec![value.clone()],
            };
            let texts = texts.into_iter().map(|text| (text, origin.clone())).collect();
            layer.insert(setting, Given { origin, texts });
        }
        layer
    }

    /// Variables that look like ours and are not, with what was probably meant.
    pub(super) fn unknown(&self) -> Vec<(String, Option<&'static str>)> {
        let ours = || Setting::ALL.into_iter().map(|setting| setting.names().env).chain([DATA]);
        let strangers = self.0.keys().filter(|name| ours().all(|known| known != name.as_str()));
        strangers.map(|name| (name.clone(), nearest(name, ours()))).collect()
    }
}
