//! The simulated disk itself.

use redb::StorageBackend;
use shardwire_disk::{Medium, SECTOR_BYTES, Survives, Trouble};
use std::io::ErrorKind;

const NAME: &str = "file";

fn text(medium: &Medium) -> Option<String> {
    medium.storage(NAME).content().unwrap().map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn what_is_synced_survives_and_the_rest_is_as_the_failure_says() {
    let written = |survives| {
        let medium = Medium::new(1);
        let file = medium.storage(NAME);
        file.write(0, b"synced").unwrap();
        file.sync_data().unwrap();
        file.write(0, b"later!").unwrap();
        assert_eq!(text(&medium).as_deref(), Some("later!"), "it is seen at once");
        medium.power_off();
        medium.power_on(survives);
        text(&medium).unwrap()
    };
    assert_eq!(written(Survives::Nothing), "synced");
    assert_eq!(written(Survives::All), "later!");
    let some: Vec<String> = (0..20).map(|seed| written(Survives::Some(seed))).collect();
    assert!(some.contains(&"synced".to_owned()) && some.contains(&"later!".to_owned()));
    assert_eq!(some, (0..20).map(|seed| written(Survives::Some(seed))).collect::<Vec<_>>());
}

#[test]
fn a_write_is_torn_at_sectors() {
    let torn = |seed| {
        let medium = Medium::new(1);
        let file = medium.storage(NAME);
        file.set_len(4 * SECTOR_BYTES as u64).unwrap();
        file.sync_data().unwrap();
        file.write(0, &[1; 4 * SECTOR_BYTES]).unwrap();
        let image = medium.image(NAME, Survives::Some(seed)).unwrap();
        let sectors: Vec<u8> = image
            .chunks(SECTOR_BYTES)
            .map(|sector| {
                assert!(sector.iter().all(|byte| byte == &sector[0]), "a sector is whole");
                sector[0]
            })
            .collect();
        sectors.iter().sum::<u8>()
    };
    let sums: Vec<u8> = (0..40).map(torn).collect();
    assert!((0..=4).all(|n| sums.contains(&n)), "{sums:?}");
}

#[test]
fn after_the_power_failed_nothing_works_until_it_is_back_and_for_a_new_handle() {
    let medium = Medium::new(1);
    let file = medium.storage(NAME);
    file.write(0, b"a").unwrap();
    medium.power_off_after(1);
    file.sync_data().unwrap();
    assert_eq!(file.write(0, b"b").unwrap_err().to_string(), "the power failed");
    assert!(!medium.is_powered() && file.len().is_err() && file.sync_data().is_err() && file.content().is_err());
    medium.power_on(Survives::Nothing);
    assert!(file.len().is_err(), "the process that had it is dead");
    assert_eq!(text(&medium).as_deref(), Some("a"));
}

#[test]
fn a_durable_replacement_is_whole_and_another_may_be_torn() {
    let medium = Medium::new(1);
    let file = medium.storage(NAME);
    file.replace(b"first".to_vec(), true).unwrap();
    file.replace(vec![b'x'; 3 * SECTOR_BYTES], false).unwrap();
    assert_eq!(medium.image(NAME, Survives::Nothing).unwrap(), b"first");
    let lengths: Vec<(usize, bool)> = (0..40)
        .map(|seed| medium.image(NAME, Survives::Some(seed)).unwrap())
        .map(|image| (image.len(), image.contains(&0)))
        .collect();
    assert!(lengths.contains(&(5, false)) && lengths.contains(&(3 * SECTOR_BYTES, true)), "{lengths:?}");
}

#[test]
fn files_are_removed_by_their_beginning() {
    let medium = Medium::new(1);
    for name in ["jobs/1/a", "jobs/1/b", "jobs/2/a"] {
        medium.storage(name).replace(vec![0], true).unwrap();
    }
    medium.storage("jobs/1/").remove_all().unwrap();
    let there = |name| medium.storage(name).content().unwrap().is_some();
    assert!(!there("jobs/1/a") && !there("jobs/1/b") && there("jobs/2/a"));
}

#[test]
fn a_full_disk_refuses_what_makes_a_file_longer_and_nothing_else() {
    let medium = Medium::new(1);
    let file = medium.storage(NAME);
    file.write(0, b"1234").unwrap();
    medium.set_capacity(Some(5));
    assert_eq!(file.write(2, b"xxxx").unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(text(&medium).as_deref(), Some("1234"));
    file.write(0, b"abcd").unwrap();
    file.write(4, b"e").unwrap();
    assert_eq!(text(&medium).as_deref(), Some("abcde"));
}

#[test]
fn a_disk_in_trouble_refuses_what_the_system_refuses_then_and_nothing_else() {
    let medium = Medium::new(1);
    let file = medium.storage(NAME);
    file.write(0, b"1234").unwrap();
    let in_trouble = |trouble| {
        medium.trouble(Some(trouble));
        let said = |result: std::io::Result<()>| result.err().map(|error| error.to_string());
        let longer = said(file.write(2, b"xxxx"));
        let within = said(file.write(0, b"1"));
        let opened = said(file.content().map(drop));
        let replaced = said(medium.storage("other").replace(Vec::new(), true));
        let read = said(file.read(0, &mut [0]));
        medium.trouble(None);
        assert_eq!(read, None, "what is open is read");
        [longer, within, opened, replaced]
    };
    let all = |text: &str, which: [bool; 4]| which.map(|it| it.then(|| text.to_owned()));
    let read_only = all("Read-only file system (os error 30)", [true, true, false, true]);
    assert_eq!(in_trouble(Trouble::ReadOnly), read_only);
    assert_eq!(in_trouble(Trouble::OverQuota), all("Disk quota exceeded (os error 122)", [true, false, false, false]));
    assert_eq!(in_trouble(Trouble::NoFilesLeft)[2..], all("Too many open files (os error 24)", [true; 4])[2..]);
    file.write(0, b"abcdef").unwrap();
    assert_eq!(text(&medium).as_deref(), Some("abcdef"));
}

#[test]
fn reads_fail_as_often_as_they_should_and_damage_is_seen() {
    let medium = Medium::with_file(1, NAME, vec![0; 10]);
    medium.fail_reads(500_000);
    let file = medium.storage(NAME);
    let failed = (0..1_000).filter(|_| file.content().is_err()).count();
    assert!((400..600).contains(&failed), "{failed}");
    medium.fail_reads(0);
    assert!(medium.damage(NAME, 3) && !medium.damage(NAME, 10));
    assert_eq!(file.content().unwrap().unwrap(), [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    let mut beyond = [0; 2];
    assert_eq!(file.read(9, &mut beyond).unwrap_err().kind(), ErrorKind::UnexpectedEof);
}
