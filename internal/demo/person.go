package demo

import (
	"strings"
	"time"

	"cairn/internal/event"
)

// person is someone who works here.
type person struct {
	id, name string
	aliases  []string
	firstDay time.Time // zero for those who were there before anyone counted
	lastDay  time.Time
	ready    time.Time // accounts, access and a first task are there
	begun    bool      // has a first change
	stays    []stay
}

// stay is a time in a team. The last one has no end.
type stay struct {
	team     *team
	from, to time.Time
}

// in tells whether the person works in a team at an instant.
func (p *person) in(t *team, at time.Time) bool {
	if !p.lastDay.IsZero() && !at.Before(p.lastDay) {
		return false
	}
	for _, s := range p.stays {
		if s.team == t && !at.Before(s.from) && (s.to.IsZero() || at.Before(s.to)) {
			return true
		}
	}
	return false
}

// Machines that write commits and start deployments.
const (
	updateBot = "renovate[bot]"
	deployBot = "linden-deploy[bot]"
)

// hire gives the teams their people.
func (o *organisation) hire() {
	c := o.chance("people")
	taken := map[string]bool{}
	name := func() (first, last string) {
		for {
			first, last = pick(c, firstNames), pick(c, lastNames)
			if login := login(first, last); !taken[login] {
				taken[login] = true
				return first, last
			}
		}
	}
	join := func(t *team, firstDay time.Time) *person {
		first, last := name()
		id := plain(first) + "." + plain(last)
		p := &person{
			id: id, name: first + " " + last, firstDay: firstDay,
			aliases: []string{id + "@linden.example", login(first, last)},
			stays:   []stay{{team: t, from: firstDay}},
		}
		if !firstDay.IsZero() {
			days := c.around(2, 0.5)
			if t.keen < 0.6 {
				days = c.around(7, 0.6)
			}
			p.ready = t.calendar.after(t.calendar.at(firstDay, 9, 0), 8*days)
		} else {
			p.begun = true
		}
		o.people = append(o.people, p)
		return p
	}
	for _, t := range o.teams {
		for range t.founders {
			join(t, time.Time{})
		}
	}
	// Some leave, at most two of a team.
	left := map[*team]int{}
	for _, p := range o.people {
		if t := p.stays[0].team; t.joiners > 0 && left[t] < 2 && c.happens(0.2) {
			p.lastDay = firstOfMonth(o.from.AddDate(0, 3+c.IntN(Months-4), 0))
			left[t]++
		}
	}
	// Some come, on the first working day of a month or in its middle, to whoever's turn it is.
	var wanted []*team
	for _, t := range o.teams {
		for range t.joiners {
			wanted = append(wanted, t)
		}
	}
	c.Shuffle(len(wanted), func(i, j int) { wanted[i], wanted[j] = wanted[j], wanted[i] })
	came := 0
	for month := firstOfMonth(o.from).AddDate(0, 1, 0); month.Before(o.until); month = month.AddDate(0, 1, 0) {
		for i := range 3 {
			start := month.AddDate(0, 0, 14*(i%2))
			for off(start) || frozen(start) {
				start = start.AddDate(0, 0, 1)
			}
			if start.Before(o.until.AddDate(0, 0, -3)) && (i < 2 || c.happens(0.4)) {
				join(wanted[came%len(wanted)], start)
				came++
			}
		}
	}
	// The people of Orders go with the services.
	heirs := []string{"checkout", "checkout", "checkout", "logistics", "logistics", "data-platform", "notifications", "logistics"}
	orders, n := o.team("orders"), 0
	for _, p := range o.people {
		if p.in(orders, o.story.reorganised.AddDate(0, 0, -1)) {
			p.stays[0].to = o.story.reorganised
			p.stays = append(p.stays, stay{team: o.team(heirs[n%len(heirs)]), from: o.story.reorganised})
			n++
		}
	}
}

// members are the people of a team at an instant.
func (o *organisation) members(t *team, at time.Time) []*person {
	var list []*person
	for _, p := range o.people {
		if p.in(t, at) {
			list = append(list, p)
		}
	}
	return list
}

// author draws who begins a change. A newcomer who is ready and has nothing yet comes first; before that, newcomers
// write nothing.
func (o *organisation) author(c chance, t *team, at time.Time) *person {
	var able []*person
	for _, p := range o.members(t, at) {
		switch {
		case p.begun:
			able = append(able, p)
		case !at.Before(p.ready) && c.happens(0.8):
			p.begun = true
			return p
		}
	}
	if len(able) == 0 {
		return nil
	}
	return pick(c, able)
}

// signature is a name that the person's commits carry.
func (p *person) signature(c chance) string {
	if c.happens(0.08) {
		return p.aliases[1]
	}
	return p.aliases[0]
}

func (o *organisation) tellPeople() {
	for _, p := range o.people {
		last := p.stays[len(p.stays)-1]
		told := last.from
		if told.Before(o.from) {
			told = o.from
		}
		fact := event.Person{ID: p.id, Name: p.name, Aliases: p.aliases, Team: last.team.id}
		if !p.firstDay.IsZero() {
			fact.FirstDay = p.firstDay.Format(time.DateOnly)
		}
		for _, s := range p.stays {
			m := event.Membership{Person: p.id, Team: s.team.id, From: s.from, To: s.to}
			if m.To.IsZero() {
				m.To = p.lastDay
			}
			m.Telling = by(told)
			if m.To.After(told) {
				m.Telling = by(m.To)
			}
			o.facts.Memberships = append(o.facts.Memberships, m)
		}
		if !p.lastDay.IsZero() {
			fact.Team, told = "", p.lastDay
		}
		fact.Telling = by(told)
		o.facts.People = append(o.facts.People, fact)
	}
	for _, bot := range []string{updateBot, deployBot} {
		o.facts.People = append(o.facts.People, event.Person{Telling: by(o.from), ID: bot, Name: bot, Bot: true})
	}
}

// plain writes a name as an account name.
func plain(name string) string {
	name = strings.ToLower(name)
	for _, r := range [][2]string{{"ä", "ae"}, {"ö", "oe"}, {"ü", "ue"}, {"ß", "ss"}, {"å", "a"}, {"é", "e"}, {"ą", "a"}, {"ó", "o"}, {"í", "i"}, {"ı", "i"}, {"ł", "l"}, {"ń", "n"}, {"ç", "c"}, {"ã", "a"}, {"ø", "o"}, {"'", ""}, {" ", "-"}} {
		name = strings.ReplaceAll(name, r[0], r[1])
	}
	return name
}

// login is the short name with which someone signs in.
func login(first, last string) string { return plain(first)[:1] + plain(last) }

var firstNames = []string{
	"Ada", "Agnieszka", "Ahmed", "Aisha", "Alejandra", "Amélie", "Ananya", "Andrei", "Arjun", "Astrid", "Beatriz", "Bogdan", "Camille", "Chidi", "Clara",
	"Daniel", "Deepa", "Duarte", "Elif", "Emil", "Emre", "Erik", "Esther", "Fatima", "Filip", "Freya", "Grace", "Hana", "Hannah", "Henrik", "Ines",
	"Ingrid", "Jakub", "Jana", "Joana", "Johan", "Jonas", "Julia", "Kasia", "Kavya", "Kenji", "Lars", "Leila", "Lena", "Linnea", "Louis", "Lucía",
	"Maja", "Malik", "Marco", "Mateusz", "Maya", "Mei", "Milan", "Miriam", "Nadia", "Naveen", "Nils", "Noor", "Oluwaseun", "Owen", "Paula", "Pedro",
	"Priya", "Rafael", "Rahul", "Rosa", "Samir", "Sanjana", "Sara", "Sofia", "Stefan", "Tariq", "Theo", "Tiago", "Tomasz", "Vera", "Victor", "Wanda",
	"Yara", "Yusuf", "Zofia",
}

var lastNames = []string{
	"Adeyemi", "Almeida", "Andersson", "Bakker", "Bauer", "Berger", "Bergström", "Brandt", "Campbell", "Castro", "Chen", "Costa", "Dąbrowska", "Demir",
	"Desai", "Eriksson", "Fernandes", "Fischer", "Fontaine", "Garcia", "Ghosh", "Gupta", "Haddad", "Hansen", "Hartmann", "Hoffmann", "Ibrahim", "Ivanova",
	"Iyer", "Jansen", "Johnson", "Kapoor", "Kaya", "Keller", "Kim", "Koch", "Kowalczyk", "Krüger", "Kumar", "Larsen", "Lewandowska", "Lindqvist", "Lopes",
	"Martin", "Mehta", "Meyer", "Moreau", "Müller", "Nair", "Nakamura", "Neumann", "Nguyen", "Novak", "Nowak", "O'Brien", "Okafor", "Olsen", "Park", "Patel",
	"Pereira", "Petrov", "Reddy", "Richter", "Rossi", "Sato", "Schneider", "Schulz", "Sharma", "Silva", "Singh", "Sousa", "Svensson", "Tanaka", "Taylor",
	"Vogel", "Wagner", "Walsh", "Weber", "Wójcik", "Wright", "Yılmaz", "Zhang", "Zieliński",
}
