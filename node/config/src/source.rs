//! Where values come from, and which of several wins: flag over environment over file over default.

use super::{
    error::ConfigError,
    origin::Origin,
    setting::{Setting, nearest},
};
use std::{collections::BTreeMap, ffi::OsString};

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
    pub(super) fn shown(&self) -> String {
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
pub struct Environment {
    variables: BTreeMap<String, String>,
    /// The settings' variables that aren't text.
    not_text: Vec<&'static str>,
}

/// What every variable's name begins with.
const PREFIX: &str = "SHARDWIRE_";
/// A variable that is no setting: it says where the settings are.
const DATA: &str = "SHARDWIRE_DATA";

impl Environment {
    /// Those of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self::of_system(std::env::vars_os())
    }

    fn of_system(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut environment = Self::default();
        for (name, value) in variables {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
            match value.into_string() {
                Ok(value) => drop(environment.variables.insert(name.to_owned(), value)),
                Err(_) => {
                    environment.not_text.extend(Setting::ALL.map(|it| it.names().env).iter().find(|it| **it == name))
                }
            }
        }
        environment
    }

    /// Those among the given ones.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables = variables.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        Self { variables, not_text: Vec::new() }
    }

    /// Lists are separated by commas. An empty variable is no empty list: it has one value, which is empty, and is refused as such. It would replace
    /// the file's list without a word.
    ///
    /// # Errors
    /// [`ConfigError::VariableNotText`].
    pub(super) fn to_layer(&self) -> Result<Layer, ConfigError> {
        if let Some(name) = self.not_text.first() {
            return Err(ConfigError::VariableNotText { name });
        }
        let mut layer = Layer::new();
        for setting in Setting::ALL {
            let names = setting.names();
            let Some(value) = self.variables.get(names.env) else { continue };
            let origin = Origin::Environment(names.env);
            let texts = match names.list {
                true => value.split(',').map(str::trim).map(str::to_owned).collect(),
                false => vec![value.clone()],
            };
            let texts = texts.into_iter().map(|text| (text, origin.clone())).collect();
            layer.insert(setting, Given { origin, texts });
        }
        Ok(layer)
    }

    /// Variables that look like ours and are not, with what was probably meant.
    pub(super) fn unknown(&self) -> Vec<(String, Option<&'static str>)> {
        let ours = || Setting::ALL.into_iter().map(|setting| setting.names().env).chain([DATA]);
        let strangers = self.variables.keys().filter(|name| ours().all(|known| known != name.as_str()));
        strangers.map(|name| (name.clone(), nearest(name, ours()))).collect()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use shardwire_model::Coded as _;
    use std::os::unix::ffi::OsStringExt as _;

    #[test]
    fn a_variable_that_is_no_text_is_refused_not_read_as_something_else() {
        let bytes = || OsString::from_vec(b"/opt/w\xffrker".to_vec());
        let environment = Environment::of_system([("SHARDWIRE_STWO_WORKER".into(), bytes())]);
        let error = environment.to_layer().unwrap_err();
        assert_eq!(
            format!("error[{}]: {error}\n  next: {}", error.code(), error.next_step()),
            "error[SW-CONFIG-013]: environment variable SHARDWIRE_STWO_WORKER isn't text in UTF-8\n  next: Correct the variable, or give the \
             value in shardwire.toml or as a flag."
        );
        // Others' variables, and those that aren't settings, may be what they like.
        let others = Environment::of_system([("PATH".into(), bytes()), ("SHARDWIRE_DATA".into(), bytes())]);
        assert!(others.to_layer().is_ok_and(|layer| layer.is_empty()));
    }
}
