package event

import (
	"strings"
	"testing"
)

func TestBrokenInputIsNotReadAgainAndAgain(t *testing.T) {
	var l lines
	l.reset(strings.NewReader(strings.Repeat("{\"type\":[\n", 1000)))
	if _, err := l.first(); err != nil {
		t.Fatal(err)
	}
	l.patience = 5000
	looked := 0
	for range 10 {
		line, _, err := l.next()
		if err != nil {
			t.Fatal(err)
		}
		before := l.patience
		if whole, err := l.extend(line); whole != nil || err != nil {
			t.Fatalf("got %q, %v", whole, err)
		}
		if before != l.patience {
			looked++
		}
	}
	if looked != 1 {
		t.Errorf("looked %d times through all that follows", looked)
	}
}
