package git

import (
	"regexp"
	"strings"
)

// Message is what the text of a commit says, for collectors that get commits in other ways.
type Message struct {
	Subject      string
	CherryPicked string // sha, perhaps shortened, that it says it is a copy of; "" without one
	Reverts      string // sha, perhaps shortened, that it says it undoes; "" without one
}

// ReadMessage reads the text of a commit.
func ReadMessage(text string) Message {
	return Message{Subject: subject(text), CherryPicked: cherryPicked(text), Reverts: reverted(text)}
}

// subject is the first paragraph of a message on one line, as git shows it, of at most maxSubject characters.
func subject(message string) string {
	message = strings.TrimLeft(message, " \t\r\n\v\f")
	if len(message) > 8*maxSubject {
		message = message[:8*maxSubject] // a paragraph without end
	}
	var lines []string
	for line := range strings.SplitSeq(message, "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			break
		}
		lines = append(lines, line)
	}
	// A copy: the subject is kept longer than the message.
	return strings.Clone(strings.TrimRight(clip(strings.Join(lines, " "), maxSubject), " "))
}

// copied is the line that git cherry-pick -x adds.
var copied = regexp.MustCompile(`(?m)^[ \t]*\(cherry picked from commit ([0-9a-f]{7,64})\)`)

// cherryPicked returns the sha, perhaps shortened, that the message says this commit is a copy of. A copy of a copy
// carries the line of each step; the last is the commit it was taken from, which carries the others itself.
func cherryPicked(message string) string {
	if !strings.Contains(message, "(cherry picked from commit ") {
		return ""
	}
	all := copied.FindAllStringSubmatch(message, -1)
	if len(all) == 0 {
		return ""
	}
	return strings.Clone(all[len(all)-1][1])
}

// undone is the line that git revert writes, with or without the words about a merge after the sha.
var undone = regexp.MustCompile(`(?m)^[ \t]*This reverts commit ([0-9a-f]{7,64})\b`)

// reverted returns the sha, perhaps shortened, that the message says this commit undoes: the first one, since git
// writes a single one and further ones are quoted with the message of what is undone.
func reverted(message string) string {
	if !strings.Contains(message, "This reverts commit ") {
		return ""
	}
	m := undone.FindStringSubmatch(message)
	if m == nil {
		return ""
	}
	return strings.Clone(m[1])
}
