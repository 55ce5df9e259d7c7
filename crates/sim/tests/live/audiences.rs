//! The export of a space against the live wiki it was made of: who may see what must not depend on which of the two was
//! read. Both are judged by a third as well, the simulated wiki itself, which shows what it shows.

use super::*;
use highwater::state::principals::Membership;
use knowledge::id::PersonKey;
use sim::confluence::edits::permit;
use sim::confluence::export;
use sim::confluence::site::{GroupId, Principal, SpaceId, UserId};

/// Of so many users one is asked about, the reader and the administrator always.
const EVERY: usize = 5;

/// Doors all over a wiki: on pages, blog posts and places above them, in several layers; spaces for this group and that
/// person; and pages below others that are not current any more.
fn close(site: &mut Site, rng: &mut Rng) {
    let people: Vec<UserId> = site.users.keys().cloned().collect();
    let groups: Vec<GroupId> = site.groups.keys().cloned().collect();
    let ids: Vec<ContentId> = site.contents().map(|content| content.id).collect();
    for id in ids {
        let (luck, group) = (rng.below(100), rng.pick(&groups).clone());
        let (one, other) = (rng.pick(&people).clone(), rng.pick(&people).clone());
        let Some(content) = site.content_mut(id) else { continue };
        if content.container.is_some() {
            continue;
        }
        match luck {
            0..8 => drop(content.read.groups.insert(group)),
            8..14 => content.read.users.extend([one, other]),
            14..18 => {
                content.read.groups.insert(group);
                content.read.users.insert(one);
            }
            // Who alone may edit says nothing about who may see.
            18..24 => drop(content.update.users.insert(one)),
            24..28 if content.kind == Kind::Page => content.status = Status::Archived,
            28..31 if content.kind == Kind::Page => content.status = Status::Trashed,
            _ => {}
        }
    }
    // Nothing stands below a draft: there is nowhere to put it before the draft is published.
    let drafts = site.contents().filter(|content| content.status == Status::Draft).map(|content| content.id);
    for id in drafts.collect::<Vec<_>>() {
        if !site.under(id).is_empty() {
            site.content_mut(id).unwrap().status = Status::Current;
        }
    }
    // One space stays open to all of the staff, so that everybody is known: whoever no group has that a rule names is
    // nobody to the live source.
    let others: Vec<SpaceId> = site.spaces.keys().copied().skip(1).collect();
    for space in others {
        if rng.chance(50) {
            site.spaces.get_mut(&space).unwrap().permissions.clear();
        }
        for _ in 0..rng.between(1, 3) {
            let principal = match rng.chance(50) {
                true => Principal::Group(rng.pick(&groups).clone()),
                false => Principal::User(rng.pick(&people).clone()),
            };
            permit(site, space, &principal);
        }
    }
}

/// What an operator writes down for an export: all groups, by the keys that the export has for accounts.
fn membership(site: &Site) -> Membership {
    let key = |user: &UserId| PersonKey::new(export::user_key(site, user));
    let groups = site.groups.values();
    let groups = groups.map(|group| (group.name.clone(), group.members.iter().map(key).collect()));
    Membership { groups: groups.collect(), ..Membership::default() }
}

/// The same space, read from its export.
async fn exported(live: &Job, site: &Site, space: SpaceId) -> Job {
    let mut job = Job::beside(live.server.clone(), live.is_cloud, "admin").await;
    let folder = job.folder.path().join("export");
    export::write(site, space, &folder).unwrap();
    job.base = folder.display().to_string();
    let principals = Some(membership(site));
    job.run(&Limits { principals, ..Limits::default() }).await.unwrap();
    job
}

/// Who is asked about.
fn some_users(site: &Site) -> Vec<UserId> {
    let named = ["acc-admin", "acc-reader"].map(|id| UserId(id.to_owned()));
    site.users.keys().step_by(EVERY).cloned().chain(named).collect()
}

/// What a job shows a user of these documents.
fn shown(job: &Job, user: &UserId, documents: &BTreeSet<String>) -> BTreeSet<String> {
    let state = State::open_to_read(&job.state()).unwrap().unwrap();
    let Ok(viewer) = state.viewer(&user.0, world::live::now(), jiff::SignedDuration::from_hours(24)) else {
        return BTreeSet::new();
    };
    documents.iter().filter(|id| state.may_see(&viewer, id).unwrap()).cloned().collect()
}

/// The page a content belongs to, and all that is above it.
fn way<'a>(site: &'a Site, content: &'a Content) -> Vec<&'a Content> {
    let page = content.container.and_then(|id| site.content(id)).unwrap_or(content);
    site.ancestors(page).into_iter().chain([page]).collect()
}

/// Compares what a user is shown of a space; gives how many documents he sees, and how many he does not.
fn compare(site: &Site, (live, export): (&Job, &Job), (user, space): (&UserId, SpaceId)) -> (usize, usize) {
    let key = &site.spaces[&space].key;
    let all: BTreeSet<String> =
        live.rows(&format!("SELECT page FROM page WHERE gone = 0 AND space = '{key}'")).into_iter().collect();
    let held = export.pages();
    let (seen, granted) = (shown(live, user, &all), shown(export, user, &held));
    for id in &all {
        let content = site.content(ContentId::read(id).unwrap()).unwrap();
        let way = way(site, content);
        let places: Vec<String> =
            way.iter().map(|place| format!("{} {}", place.status.name(), place.address())).collect();
        let what = format!("{} {id} of {key} below {places:?} for {}", content.kind.name(), user.0);
        // An export has files with their pages, so whoever sees the page sees them.
        let document = match content.kind {
            Kind::Attachment => content.container.unwrap().to_string(),
            _ => id.clone(),
        };
        assert!(held.contains(&document), "{what}: it is not in the export");
        // An export does not say who may see a folder: nobody passes.
        let has_folder = way.iter().any(|place| !matches!(place.kind, Kind::Page | Kind::BlogPost));
        let expected = seen.contains(id) && !has_folder;
        assert_eq!(granted.contains(&document), expected, "{what}: the export against the live wiki");
        // Whoever administers sees all, by no rule that could be read; and what stands below the bin is not shown.
        let is_told = way.iter().all(|place| place.status == Status::Current);
        // A Data Center has no such places; if one is named there all the same, nobody is known to pass it.
        let is_known = live.is_cloud || !has_folder;
        let is_shown = is_told && is_known && site.sees(user, content);
        if !site.users[user].sees_all {
            assert_eq!(seen.contains(id), is_shown, "{what}: the live source against the wiki");
        }
    }
    let of_files = held.iter().filter(|id| !all.contains(*id)).count();
    assert_eq!(of_files, 0, "the export of {key} has what the live wiki has not");
    (seen.len(), all.len() - seen.len())
}

#[test]
fn the_export_of_a_space_shows_every_user_what_the_live_wiki_shows_him() {
    let (mut seen, mut hidden) = (0, 0);
    for (seed, deployment) in (0..6).zip(BOTH.into_iter().cycle()) {
        run(async {
            let mut site = generated(Plan { pages: 70, seed, huge: 0 }, deployment);
            used(&mut site, 7);
            close(&mut site, &mut Rng::new(seed, "doors"));
            let mut live = Job::over(site.clone()).await;
            live.runs().await;
            for space in site.spaces.keys() {
                let export = exported(&live, &site, *space).await;
                for user in some_users(&site) {
                    let (more, less) = compare(&site, (&live, &export), (&user, *space));
                    (seen, hidden) = (seen + more, hidden + less);
                }
            }
        });
    }
    assert!(seen > 1_000 && hidden > 1_000, "{seen} seen, {hidden} hidden");
}
