//! The outbox: commands, their attempts, and dead letters.

use super::*;
use crate::domain::decision::Action;
use crate::domain::ids::{AttemptId, CommandId};

async fn open_command(place: &Place) -> (ChainId, CommandId) {
    store!(place.storage, tx => {
        let (chain, decision) = tx.decided("a", 0).await?;
        let new = NewCommand {
            chain,
            decision: Some(decision),
            unit: unit_key("a"),
            number: Some(41),
            action: Action::Decline,
            purpose: Purpose::Decision,
            reason: Some("full".to_owned()),
            due_at: at(10),
        };
        (chain, tx.insert_command(&new, at(5)).await?)
    })
    .unwrap()
}

async fn load(place: &Place, chain: ChainId) -> Command {
    let record = read!(place.storage, tx => tx.load_chain(chain).await?.unwrap());
    record.unwrap().commands.remove(0)
}

fn dead(id: CommandId) -> CommandChange {
    CommandChange {
        id,
        state: CommandState::Dead,
        action: Action::Cancel,
        due_at: at(20),
        tries: 3,
        note: Some("gave up".to_owned()),
    }
}

async fn a_command_and_its_attempts_come_back_as_written() {
    let place = Place::new().await;
    let (chain, id) = open_command(&place).await;
    let of = store!(place.storage, tx => {
        let first = tx.begin_attempt(id, "w1", at(11), at(21)).await?;
        tx.begin_attempt(id, "w2", at(31), at(41)).await?;
        tx.finish_attempt(first, AttemptResult::Transient, Some(503), Some("busy"), at(12)).await?
    });
    assert_eq!(of, Ok(Posted::New(())));
    let command = load(&place, chain).await;
    assert_eq!(command.id, id);
    assert_eq!((command.state, command.tries), (CommandState::Open, 0));
    assert_eq!((command.number, command.due_at), (Some(41), at(10)));
    assert_eq!(command.reason.as_deref(), Some("full"));
    let numbers: Vec<_> = command.attempts.iter().map(|a| a.number).collect();
    assert_eq!(numbers, [1, 2]);
    let first = &command.attempts[0];
    assert_eq!(first.result, Some(AttemptResult::Transient));
    assert_eq!(
        (first.http_status, first.answered_at),
        (Some(503), Some(at(12)))
    );
    assert_eq!((first.started_at, first.deadline_at), (at(11), at(21)));
    assert_eq!(command.attempts[1].result, None);
}

async fn the_last_call_of_a_source_is_found() {
    let place = Place::new().await;
    let (_, id) = open_command(&place).await;
    let (none, last, elsewhere) = store!(place.storage, tx => {
        let none = tx.last_call(&source()).await?;
        let first = tx.begin_attempt(id, "w1", at(11), at(21)).await?;
        tx.finish_attempt(first, AttemptResult::Transient, Some(503), None, at(12)).await?;
        tx.begin_attempt(id, "w1", at(31), at(41)).await?;
        (none, tx.last_call(&source()).await?, tx.last_call(&SourceName::new("other")).await?)
    })
    .unwrap();
    let last = last.unwrap();
    assert_eq!(
        (last.started_at, last.answered_at, last.result),
        (at(31), None, None)
    );
    assert_eq!((none, elsewhere), (None, None));
}

async fn the_first_answer_to_an_attempt_stays() {
    let place = Place::new().await;
    let (chain, id) = open_command(&place).await;
    let second = store!(place.storage, tx => {
        let attempt = tx.begin_attempt(id, "w1", at(11), at(21)).await?;
        tx.finish_attempt(attempt, AttemptResult::Unknown, None, None, at(22)).await?;
        tx.finish_attempt(attempt, AttemptResult::Ok, Some(200), None, at(23)).await?
    });
    assert_eq!(second, Ok(Posted::Duplicate));
    let attempt = load(&place, chain).await.attempts.remove(0);
    assert_eq!(attempt.result, Some(AttemptResult::Unknown));
    assert_eq!(attempt.answered_at, Some(at(22)));
}

async fn a_dead_command_is_listed_with_its_last_attempt_and_can_be_revived() {
    let place = Place::new().await;
    let (chain, id) = open_command(&place).await;
    store!(place.storage, tx => {
        tx.begin_attempt(id, "w1", at(11), at(21)).await?;
        let last = tx.begin_attempt(id, "w1", at(15), at(25)).await?;
        tx.finish_attempt(last, AttemptResult::Rejected, Some(403), None, at(16)).await?;
        tx.change_command(&dead(id), at(17)).await?;
    })
    .unwrap();
    let letters =
        read!(place.storage, tx => tx.dead_letters(&DeadLetterFilter::default(), None, 10).await?)
            .unwrap();
    let letter = &letters[0];
    assert_eq!((letter.id, letter.chain), (id, chain));
    assert_eq!((letter.action, letter.tries), (Action::Cancel, 3));
    assert_eq!(
        (letter.created_at, letter.finished_at),
        (at(5), Some(at(17)))
    );
    assert_eq!(letter.note.as_deref(), Some("gave up"));
    let last = letter.last_attempt.as_ref().unwrap();
    assert_eq!((last.number, last.http_status), (2, Some(403)));
    let behind = read!(place.storage, tx => tx.dead_letters(&DeadLetterFilter::default(), Some(id), 10).await?);
    assert!(behind.unwrap().is_empty());

    let of_another = DeadLetterFilter {
        source: Some(SourceName::new("another")),
        ..DeadLetterFilter::default()
    };
    let of_it = DeadLetterFilter {
        id: Some(id),
        action: Some(Action::Cancel),
        since: Some(at(17)),
        ..DeadLetterFilter::default()
    };
    let (none, one) = read!(place.storage, tx => (
        tx.dead_letters(&of_another, None, 10).await?,
        tx.dead_letters(&of_it, None, 10).await?,
    ))
    .unwrap();
    assert_eq!((none.len(), one.len()), (0, 1));

    let (first, second, due) = store!(place.storage, tx => (
        tx.revive(id, at(30)).await?,
        tx.revive(id, at(40)).await?,
        tx.next_due().await?,
    ))
    .unwrap();
    assert!(first && !second, "only a dead command is revived");
    assert_eq!(due, Some(at(30)));
    let command = load(&place, chain).await;
    assert_eq!((command.state, command.tries), (CommandState::Open, 0));
    assert_eq!((command.due_at, command.note), (at(30), None));
}

async fn a_purged_command_stays_dead_and_is_not_listed() {
    let place = Place::new().await;
    let (chain, id) = open_command(&place).await;
    let done = store!(place.storage, tx => {
        let while_open = tx.purge(id, at(16)).await?;
        tx.change_command(&dead(id), at(17)).await?;
        (while_open, tx.purge(id, at(18)).await?, tx.purge(id, at(19)).await?)
    });
    assert_eq!(done.unwrap(), (false, true, false));
    let revived = store!(place.storage, tx => tx.revive(id, at(20)).await?);
    assert!(!revived.unwrap());
    let listed = read!(place.storage, tx => {
        tx.dead_letters(&DeadLetterFilter::default(), None, 10).await?
    });
    assert!(listed.unwrap().is_empty());
    assert_eq!(load(&place, chain).await.state, CommandState::Dead);
}

async fn changes_are_listed_newest_first() {
    let place = Place::new().await;
    let change = |actor: &str, target: &str| Change {
        actor: actor.to_owned(),
        action: "dead_letter.purge".to_owned(),
        target: target.to_owned(),
        detail: None,
        request: Some(format!("{actor} 1")),
    };
    let (one, other) = (change("token:a", "x/1"), change("token:b", "x/2"));
    let (first, second) = (one.clone(), other.clone());
    store!(place.storage, tx => {
        tx.note_change(&first, at(1)).await?;
        tx.note_change(&second, at(2)).await?;
    })
    .unwrap();
    let all = read!(place.storage, tx => tx.changes(&ChangeFilter::default(), None, 10).await?);
    let all = all.unwrap();
    assert_eq!((&all[0].change, &all[1].change), (&other, &one));
    assert_eq!((all[0].at, all.len()), (at(2), 2));
    let last = all[0].id;
    let of_a = ChangeFilter {
        actor: Some("token:a".to_owned()),
        action: Some("dead_letter.purge".to_owned()),
        ..ChangeFilter::default()
    };
    let on_x2 = ChangeFilter {
        target: Some("x/2".to_owned()),
        request: Some("token:b 1".to_owned()),
        ..ChangeFilter::default()
    };
    let between = |since, until| ChangeFilter {
        since: Some(at(since)),
        until: Some(at(until)),
        ..ChangeFilter::default()
    };
    let (first, both) = (between(0, 2), between(1, 3));
    let (first, both) = read!(place.storage, tx => (
        tx.changes(&first, None, 10).await?.len(),
        tx.changes(&both, None, 10).await?.len(),
    ))
    .unwrap();
    assert_eq!((first, both), (1, 2));
    let (older, of_a, on_x2) = read!(place.storage, tx => (
        tx.changes(&ChangeFilter::default(), Some(last), 10).await?,
        tx.changes(&of_a, None, 10).await?,
        tx.changes(&on_x2, None, 10).await?,
    ))
    .unwrap();
    assert_eq!((&older, &of_a), (&all[1..].to_vec(), &all[1..].to_vec()));
    assert_eq!(on_x2, all[..1]);
}

async fn what_is_not_there_is_named() {
    let place = Place::new().await;
    let none = CommandId(7);
    let change = store!(place.storage, tx => tx.change_command(&dead(none), at(0)).await?);
    assert_eq!(change.unwrap_err().to_string(), "command 7 does not exist");
    let begun = store!(place.storage, tx => tx.begin_attempt(none, "w", at(0), at(1)).await?);
    assert!(matches!(begun, Err(StorageError::Refused(_))));
    let finished = store!(place.storage, tx => {
        tx.finish_attempt(AttemptId(7), AttemptResult::Ok, None, None, at(0)).await?
    });
    assert_eq!(
        finished.unwrap_err().to_string(),
        "attempt 7 does not exist"
    );
}

on_both! {
    the_last_call_of_a_source_is_found,
    a_command_and_its_attempts_come_back_as_written,
    the_first_answer_to_an_attempt_stays,
    a_dead_command_is_listed_with_its_last_attempt_and_can_be_revived,
    a_purged_command_stays_dead_and_is_not_listed,
    changes_are_listed_newest_first,
    what_is_not_there_is_named,
}
