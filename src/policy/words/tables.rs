//! The words of each language.

use jiff::civil::{Date, Weekday};

/// One language's words.
pub(super) struct Words {
    /// One and many of them, by unit, longest first.
    pub(super) units: [[&'static str; 2]; 5],
    pub(super) months: [&'static str; 12],
    /// From Monday on, short.
    pub(super) weekdays: [&'static str; 7],
    /// What follows the number of a day, that of the first of a month in front.
    pub(super) after_day: [&'static str; 2],
    /// What stands between day, month and year.
    pub(super) of: &'static str,
    pub(super) week_of: &'static str,
    /// What stands around the number of a quarter, before the year.
    pub(super) quarter: [&'static str; 2],
    /// Before days, before and after the time of opening, before and after that of closing.
    pub(super) open: [&'static str; 5],
    /// Where a window is told by its dates alone.
    pub(super) certain_days: &'static str,
    pub(super) decimal: char,
}

pub(super) const ENGLISH: Words = Words {
    units: [
        ["week", "weeks"],
        ["day", "days"],
        ["hour", "hours"],
        ["minute", "minutes"],
        ["second", "seconds"],
    ],
    months: [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    weekdays: ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
    after_day: ["", ""],
    of: " ",
    week_of: "the week of ",
    quarter: ["quarter ", " of "],
    open: ["on ", "from ", "", "until ", ""],
    certain_days: "on certain days",
    decimal: '.',
};

pub(super) const DUTCH: Words = Words {
    units: [
        ["week", "weken"],
        ["dag", "dagen"],
        ["uur", "uur"],
        ["minuut", "minuten"],
        ["seconde", "seconden"],
    ],
    months: [
        "januari",
        "februari",
        "maart",
        "april",
        "mei",
        "juni",
        "juli",
        "augustus",
        "september",
        "oktober",
        "november",
        "december",
    ],
    weekdays: ["ma", "di", "wo", "do", "vr", "za", "zo"],
    after_day: ["", ""],
    of: " ",
    week_of: "de week van ",
    quarter: ["kwartaal ", " van "],
    open: ["op ", "van ", " uur", "tot ", " uur"],
    certain_days: "op bepaalde dagen",
    decimal: ',',
};

pub(super) const FRENCH: Words = Words {
    units: [
        ["semaine", "semaines"],
        ["jour", "jours"],
        ["heure", "heures"],
        ["minute", "minutes"],
        ["seconde", "secondes"],
    ],
    months: [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
    weekdays: ["lun", "mar", "mer", "jeu", "ven", "sam", "dim"],
    after_day: ["er", ""],
    of: " ",
    week_of: "la semaine du ",
    quarter: ["trimestre ", " de "],
    open: ["", "à partir de ", "", "jusqu'à ", ""],
    certain_days: "certains jours",
    decimal: ',',
};

pub(super) const GERMAN: Words = Words {
    units: [
        ["Woche", "Wochen"],
        ["Tag", "Tage"],
        ["Stunde", "Stunden"],
        ["Minute", "Minuten"],
        ["Sekunde", "Sekunden"],
    ],
    months: [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
    weekdays: ["Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"],
    after_day: [".", "."],
    of: " ",
    week_of: "Woche ab ",
    quarter: ["Quartal ", " "],
    open: ["", "von ", " Uhr", "bis ", " Uhr"],
    certain_days: "an bestimmten Tagen",
    decimal: ',',
};

pub(super) const ITALIAN: Words = Words {
    units: [
        ["settimana", "settimane"],
        ["giorno", "giorni"],
        ["ora", "ore"],
        ["minuto", "minuti"],
        ["secondo", "secondi"],
    ],
    months: [
        "gennaio",
        "febbraio",
        "marzo",
        "aprile",
        "maggio",
        "giugno",
        "luglio",
        "agosto",
        "settembre",
        "ottobre",
        "novembre",
        "dicembre",
    ],
    weekdays: ["lun", "mar", "mer", "gio", "ven", "sab", "dom"],
    after_day: ["º", ""],
    of: " ",
    week_of: "la settimana del ",
    quarter: ["trimestre ", " del "],
    open: ["", "dalle ", "", "fino alle ", ""],
    certain_days: "in certi giorni",
    decimal: ',',
};

pub(super) const PORTUGUESE: Words = Words {
    units: [
        ["semana", "semanas"],
        ["dia", "dias"],
        ["hora", "horas"],
        ["minuto", "minutos"],
        ["segundo", "segundos"],
    ],
    months: [
        "janeiro",
        "fevereiro",
        "março",
        "abril",
        "maio",
        "junho",
        "julho",
        "agosto",
        "setembro",
        "outubro",
        "novembro",
        "dezembro",
    ],
    weekdays: ["seg", "ter", "qua", "qui", "sex", "sáb", "dom"],
    after_day: ["", ""],
    of: " de ",
    week_of: "a semana de ",
    quarter: ["trimestre ", " de "],
    open: ["", "das ", "", "até às ", ""],
    certain_days: "em certos dias",
    decimal: ',',
};

pub(super) const SPANISH: Words = Words {
    units: [
        ["semana", "semanas"],
        ["día", "días"],
        ["hora", "horas"],
        ["minuto", "minutos"],
        ["segundo", "segundos"],
    ],
    months: [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
    weekdays: ["lun", "mar", "mié", "jue", "vie", "sáb", "dom"],
    after_day: ["", ""],
    of: " de ",
    week_of: "la semana del ",
    quarter: ["trimestre ", " de "],
    open: ["", "desde las ", "", "hasta las ", ""],
    certain_days: "en ciertos días",
    decimal: ',',
};

/// Units as signs, longest first; a week is seven days.
pub(super) const SIGNS: [&str; 5] = ["d", "d", "h", "min", "s"];

impl Words {
    /// The name of a date's month.
    pub(super) fn month(&self, date: Date) -> &'static str {
        // A month is 1 to 12.
        let place = usize::try_from(date.month() - 1).unwrap_or(0);
        self.months[place]
    }

    /// The short name of a day.
    pub(super) fn weekday(&self, day: Weekday) -> &'static str {
        let place = usize::try_from(day.to_monday_zero_offset()).unwrap_or(0);
        self.weekdays[place]
    }
}
