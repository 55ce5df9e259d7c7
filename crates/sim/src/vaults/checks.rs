//! What must hold of a vault whatever befell its writers, looked at when all of them are dead. It must not use what the
//! processes remember: only what was promised, and what is there.

use super::crew::{End, Process, catch_up};
use super::fold::Fold;
use super::{World, finish, quiet};
use crate::sea::{Shore, lock};
use std::collections::BTreeMap;
use vault::{Error, Event, Kind, MemoryStore, Nonce, Segment, Vault, Writer};

type Objects = BTreeMap<String, Vec<u8>>;

/// Opens once more, and compares what is there with what was promised.
pub(super) fn at_rest(world: &mut World) -> Result<(), String> {
    one_winner_a_name(world)?;
    fenced_wrote_nothing(world)?;
    let store = quiet(world);
    let offered = salvage_offers_all(world, &store)?;
    lock(&world.ledger).offered.extend(offered);
    without_broken_snapshots(world, &store)?;
    let verified =
        calm(vault::verify(&store)).map_err(|error| format!("the vault does not verify: {error}"))?;
    let mut fold = Fold::default();
    let reader = world.process(0, &Default::default());
    folds(&store, &mut fold, &reader)?;
    fold.texts()?;
    let lost = lock(&world.ledger).lost(&fold);
    if !lost.is_empty() {
        return Err(format!("acknowledged, and not there: {lost:?}"));
    }
    for (seen, word) in [
        (verified.voided > 0, "voided"),
        (!verified.voided_but_whole.is_empty(), "voided but whole"),
        (verified.pruned_before.is_some(), "pruned at the end"),
        (!verified.snapshots.is_empty(), "snapshots at the end"),
    ] {
        if seen {
            world.sees(word);
        }
    }
    every_snapshot_gives_the_fold(world, &store, &fold)?;
    a_copy_is_the_same(&store)
}

/// A saver that slept through a rotation, and died before it saw that its parts are gone, leaves a manifest without
/// them: until the next rotation `verify` names it, and restoring passes it over. Deletes such.
fn without_broken_snapshots(world: &World, store: &Shore) -> Result<(), String> {
    for snapshot in calm(vault::snapshot::snapshots(store))?.whole {
        let Err(error) = calm(vault::snapshot::verify_snapshot(store, &snapshot)) else { continue };
        if !lock(&world.sea).deleted.iter().any(|key| error.contains(key)) {
            return Err(error);
        }
        world.sees("a saver slept through a rotation");
        let folder = format!("snapshots/{}/", snapshot.name);
        lock(&world.sea).objects.retain(|key, _| !key.starts_with(&folder));
    }
    Ok(())
}

/// Runs a call that nobody disturbs.
fn calm<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, String> {
    finish(future)?.map_err(|error| format!("{:?}: {error}", error.kind()))
}

fn folds(store: &Shore, fold: &mut Fold, reader: &Process) -> Result<(), String> {
    match finish(catch_up(store, fold, reader))? {
        Ok(()) | Err(End::Over) => Ok(()),
        Err(End::Wrong(text)) => Err(text),
        Err(End::Refused(error)) => Err(format!("reading: {error}")),
    }
}

fn one_winner_a_name(world: &World) -> Result<(), String> {
    let sea = lock(&world.sea);
    for (key, winners) in sea.won.iter().filter(|(key, _)| key.starts_with("journal/")) {
        if winners.len() > 1 {
            let who: Vec<u32> = winners.iter().map(|(process, _)| *process).collect();
            return Err(format!("`{key}` was given to processes {who:?}"));
        }
        if sea.objects.get(key).is_some_and(|bytes| *bytes != winners[0].1) {
            return Err(format!("`{key}` does not hold what its winner wrote"));
        }
    }
    Ok(())
}

fn fenced_wrote_nothing(world: &World) -> Result<(), String> {
    let sea = lock(&world.sea);
    for (process, asked) in &lock(&world.ledger).fenced {
        if sea.asked.get(process) != Some(asked) {
            return Err(format!("process {process} was fenced and wrote on"));
        }
    }
    Ok(())
}

/// Opens, and sees that all that is whole among what the last two openings passed is offered.
fn salvage_offers_all(world: &mut World, store: &Shore) -> Result<Vec<String>, String> {
    let nonce = Nonce::new(world.rng.bytes());
    let opened = calm(Vault::open(store.clone(), Writer::default(), nonce, jiff::Timestamp::UNIX_EPOCH));
    let mut vault = opened.map_err(|error| format!("opening at the end: {error}"))?;
    let found = calm(vault.salvage::<String>())?;
    let offered: Vec<String> = found.iter().map(|(name, _)| name.clone()).collect();
    for name in vault.voided().iter().map(|voided| &voided.name) {
        let is_whole = whole(&store.sea().objects[name]);
        if is_whole != offered.contains(name) {
            return Err(format!("`{name}` was passed, is whole: {is_whole}, and salvage offers {offered:?}"));
        }
    }
    calm(vault.append(jiff::Timestamp::UNIX_EPOCH, vec!["the last".to_owned()]))?;
    calm(vault.close::<String>(jiff::Timestamp::UNIX_EPOCH))?;
    let entries = found.into_iter().flat_map(|(_, entries)| entries);
    Ok(entries
        .filter_map(|entry| if let Event::Record(text) = entry.event { Some(text) } else { None })
        .collect())
}

/// Whether an object ends in the digest of what is before: the rule, written down a second time.
fn whole(object: &[u8]) -> bool {
    object.len() >= 32
        && object.split_at(object.len() - 32).1
            == blake3::hash(&object[..object.len().max(40) - 40]).as_bytes()
}

/// Restored from every snapshot, and followed from there, the fold is the same.
fn every_snapshot_gives_the_fold(world: &mut World, store: &Shore, all: &Fold) -> Result<(), String> {
    let first = calm(vault::start(store))?;
    for snapshot in calm(vault::snapshot::snapshots(store))?.whole {
        let mut file = Vec::new();
        calm(vault::snapshot::restore(store, &snapshot, |part| {
            file.extend_from_slice(part);
            Ok::<_, Error>(())
        }))?;
        let mut fold = Fold::from_bytes(&file, &snapshot.base)?;
        if first.is_some_and(|first| fold.position.is_some_and(|it| it.ordinal < first.ordinal)) {
            continue;
        }
        calm(vault::read(store, fold.position, |segment: Segment<String>| {
            fold.apply(segment).map_err(|text| Error::new(Kind::Bug, text))
        }))?;
        if fold.records != all.records || fold.seq != all.seq {
            return Err(format!("snapshot `{}` and what follows it give another fold", snapshot.name));
        }
        world.sees("restored at the end");
    }
    Ok(())
}

fn a_copy_is_the_same(store: &Shore) -> Result<(), String> {
    let target = MemoryStore::new();
    calm(vault::copy(store, &target, |_| ()))?;
    match target.objects() == store.sea().objects {
        true => Ok(()),
        false => Err("a copy is not the same".to_owned()),
    }
}

/// Damages one object of a vault as it is now, and sees that this is reported by its name; or, behind the end, that it
/// counts as torn.
pub(super) fn damage_shows(world: &mut World) -> Result<(), String> {
    let objects: Objects = finish(settled(world))?;
    let store = MemoryStore::from(objects.clone());
    // Otherwise somebody is just at it.
    let Ok(before) = calm(vault::verify(&store)) else { return Ok(()) };
    let end = before.tail.position.map(|end| format!("journal/{:010}", end.ordinal)).unwrap_or_default();
    let names: Vec<&String> = objects.keys().collect();
    let key = (*world.rng.pick(&names)).clone();
    let is_last = key.starts_with("journal/") && key >= end;
    let mut damaged = objects.clone();
    let is_flip = world.rng.chance(60);
    match damaged.get_mut(&key).filter(|bytes| is_flip && !bytes.is_empty()) {
        Some(bytes) => {
            let bit = world.rng.below(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        None => drop(damaged.remove(&key)),
    }
    let is_leftover = is_unfinished(&objects, &key);
    match finish(vault::verify(&MemoryStore::from(damaged)))? {
        Err(error) if error.to_string().contains(&key) || key == vault::IDENTITY => {}
        Ok(found) if is_last && is_flip && found.tail.torn.iter().any(|torn| torn.name == key) => {}
        // The word of a pruning was lost with the last segment, so now its start is missing.
        Err(error) if is_last && error.to_string().contains("was not pruned") => {}
        // Below the start there may be something that nobody reads any more.
        Ok(found) if found.pruned_before.is_some_and(|first| key < format!("journal/{first:010}")) => {}
        Ok(_) if is_leftover || (is_last && !is_flip) || is_manifest(&key) && !is_flip => {}
        end => return Err(format!("`{key}` was damaged (flipped: {is_flip}), and that gave {end:?}")),
    }
    world.sees(if is_flip { "bit flipped" } else { "object lost" });
    Ok(())
}

fn is_manifest(key: &str) -> bool {
    key.ends_with("/manifest.json")
}

/// Whether an object belongs to a snapshot without a manifest.
fn is_unfinished(objects: &Objects, key: &str) -> bool {
    let folder = key.rfind('/').map_or("", |at| &key[..at]);
    folder.starts_with("snapshots/") && !objects.contains_key(&format!("{folder}/manifest.json"))
}

/// What everybody sees now.
async fn settled(world: &World) -> Objects {
    quiet(world).sea().objects.clone()
}
