//! A protocol as a Mermaid state diagram.

use super::{Description, Speaker, StateSummary};
use std::fmt::Write as _;

impl Description {
    /// A `stateDiagram-v2`: the states with the side that speaks in them, the messages between them, the beginning and the end.
    #[must_use]
    pub fn mermaid(&self) -> String {
        let mut text = String::from("stateDiagram-v2\n");
        let speaking = |state: &&StateSummary| state.speaks.is_some();
        // Writing to a String doesn't fail.
        for state in self.states.iter().filter(speaking) {
            let speaker = state.speaks.unwrap_or(Speaker::Initiator);
            let _ = writeln!(text, "    {0}: {0}, {speaker} speaks", state.state);
        }
        let end = |name: &str| self.states.iter().any(|state| state.state == name && state.speaks.is_none());
        if let Some(first) = self.states.first().filter(speaking) {
            let _ = writeln!(text, "    [*] --> {}", first.state);
        }
        for state in self.states.iter().filter(speaking) {
            for step in &state.steps {
                let next = if end(&step.next) { "[*]" } else { step.next.as_str() };
                let _ = writeln!(text, "    {} --> {next}: {}", state.state, step.message.unwrap_or("no message"));
            }
        }
        text
    }
}
