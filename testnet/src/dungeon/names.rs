//! What the players are called.

const NAMES: [&str; 32] = [
    "Ada", "Brom", "Cyra", "Dain", "Edda", "Finn", "Gwen", "Hugo", "Iria", "Jorn", "Kaya", "Loki", "Mira", "Nils",
    "Orla", "Pike", "Quin", "Runa", "Sven", "Tara", "Ulf", "Vera", "Wulf", "Xenia", "Ymir", "Zora", "Alba", "Bjorn",
    "Cleo", "Dara", "Emil", "Freya",
];

/// A name for each of them: the second Ada is "Ada 2".
pub(crate) fn name(index: usize) -> String {
    let name = NAMES[index % NAMES.len()];
    match index / NAMES.len() {
        0 => name.into(),
        round => format!("{name} {}", round + 1),
    }
}
