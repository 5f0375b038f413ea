package typeform_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"cairn/collectors/typeform"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook/hooktest"
)

const secret = "correct-horse"

const settings = `
surveys:
  - form: Fm1
    id: 2026Q1
    title: Platform survey
    opens: 2026-03-01
    closes: 2026-03-15
    respondent: hidden.person
    group: team
    invited: unknown
    group_names: {The checkout: checkout}
    questions:
      - {ref: csat, id: csat, type: csat_1_5, text: 'How satisfied are you?', scale: {Very satisfied: 5, Not at all: 1}}
      - {ref: fieldNps, id: nps, type: nps_0_10}
      - {ref: pain, id: pain, type: multi_select}
      - {ref: words, id: words, type: text}
  - {form: Fm1, id: 2026Q2, opens: 2026-06-01, closes: 2026-06-15, invited: list, respondent: hidden.person, questions: [{ref: rating, id: csat, type: csat_1_5}]}
`

func config(t testing.TB, text string) typeform.Config {
	t.Helper()
	cfg := typeform.DefaultConfig()
	cfg.WebhookSecrets = []string{secret}
	if err := yaml.Unmarshal([]byte(text), &cfg); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func receiver(t testing.TB) *typeform.Receiver {
	t.Helper()
	r, err := typeform.New(config(t, settings), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func signed(body string) hooktest.Request {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return hooktest.Request{Header: http.Header{"Typeform-Signature": {"sha256=" + base64.StdEncoding.EncodeToString(mac.Sum(nil))}}, Body: []byte(body)}
}

// answered is an answer as Typeform sends it, as its developer pages describe it.
func answered(kind, token, at, hidden, answers string) hooktest.Request {
	return signed(fmt.Sprintf(`{"event_id":"01H","event_type":"%s","form_response":{"form_id":"Fm1","token":"%s","landed_at":"2026-03-02T10:00:00Z","submitted_at":"%s",`+
		`"hidden":%s,"calculated":{"score":9},"definition":{"id":"Fm1","title":"Survey","fields":[{"id":"fieldNps","ref":"nps-ref","type":"nps","title":"Recommend?"}]},"answers":[%s]}}`,
		kind, token, at, hidden, answers))
}

const full = `{"type":"choice","choice":{"label":"Very satisfied"},"field":{"id":"f1","ref":"csat","type":"multiple_choice"}},` +
	`{"type":"number","number":9,"field":{"id":"fieldNps","ref":"nps-ref","type":"nps"}},` +
	`{"type":"choices","choices":{"labels":["Builds, tests","Docs"],"other":"the lift"},"field":{"id":"f3","ref":"pain","type":"multiple_choice"}},` +
	`{"type":"text","text":"fine","field":{"id":"f4","ref":"words","type":"long_text"}},` +
	`{"type":"choice","choice":{"label":"The checkout"},"field":{"id":"f5","ref":"team","type":"dropdown"}},` +
	`{"type":"email","email":"ada@example.org","field":{"id":"f6","ref":"mail","type":"email"}},` +
	`{"type":"text","text":"Ada Lovelace","field":{"id":"f7","ref":"name","type":"short_text"}}`

func score(n int64) *int64 { return &n }

func TestAnAnswerBecomesAResponse(t *testing.T) {
	at := time.Date(2026, 3, 2, 10, 5, 0, 0, time.UTC)
	telling := event.Telling{Source: "typeform", UpdatedAt: at}
	opens := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	fresh := func() hooktest.Receiver { return receiver(t) }
	known := hooktest.Converges(t, fresh, at,
		answered("form_response", "tok1", "2026-03-02T10:05:00Z", `{"person":"P-17","secret":"x"}`, full),
		answered("form_response_partial", "tok1", "2026-03-02T10:04:00Z", `{"person":"P-17"}`, ""))
	want := map[string]event.Event{
		"survey 2026Q1": &event.Survey{Telling: telling, ID: "2026Q1", Title: "Platform survey", OpensAt: opens, ClosesAt: time.Date(2026, 3, 16, 0, 0, 0, 0, time.UTC),
			Questions: []event.SurveyQuestion{{ID: "csat", Type: "csat_1_5", Text: "How satisfied are you?"}, {ID: "nps", Type: "nps_0_10"}, {ID: "pain", Type: "multi_select"}, {ID: "words", Type: "text"}}},
		"response 2026Q1 p-17 2026-03-02T10:05:00Z": &event.SurveyResponse{Telling: telling, Survey: "2026Q1", Respondent: "p-17", SubmittedAt: at, Answers: []event.SurveyAnswer{
			{Question: "csat", Score: score(5)}, {Question: "nps", Score: score(9)}, {Question: "pain", Options: []string{"Builds, tests", "Docs", "the lift"}}, {Question: "words", Text: "fine"}}},
		"invitation 2026Q1 p-17": &event.SurveyInvitation{Telling: telling, Survey: "2026Q1", Respondent: "p-17", Group: "checkout", SentAt: opens},
	}
	if diff := cmp.Diff(want, known); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatWasSkippedIsLeftEmptyAndNobodyIsAToken(t *testing.T) {
	facts := hooktest.Facts(t, receiver(t), answered("form_response", "tok2", "2026-03-02T10:05:00Z", `null`, ""), time.Time{})
	got := facts[1].(*event.SurveyResponse)
	if diff := cmp.Diff([]event.SurveyAnswer{{Question: "csat"}, {Question: "nps"}, {Question: "pain"}, {Question: "words"}}, got.Answers); diff != "" || got.Respondent != "token-tok2" {
		t.Errorf("%s answers\n%s", got.Respondent, diff)
	}
	// The second wave of the same form; a list says who was asked.
	facts = hooktest.Facts(t, receiver(t), answered("form_response", "tok3", "2026-06-02T10:05:00Z", `{"person":17}`, `{"type":"number","number":4,"field":{"ref":"rating"}}`), time.Time{})
	if len(facts) != 2 || facts[1].(*event.SurveyResponse).Survey != "2026Q2" || facts[1].(*event.SurveyResponse).Respondent != "17" || *facts[1].(*event.SurveyResponse).Answers[0].Score != 4 {
		t.Errorf("the second wave is %v", hooktest.Tellings(facts))
	}
}

// Nothing that names a person is in what is kept, and a person that is named twice is one all the same.
func TestWhatIsKeptNamesNobody(t *testing.T) {
	r := receiver(t)
	var who []string
	for _, name := range []string{"Ada@Example.org", "ada@example.org "} {
		q := answered("form_response", "tok", "2026-03-02T10:05:00Z", `{"person":"`+name+`","other":"Lovelace"}`, full)
		d := r.Describe(q.Header, q.Body)
		for _, word := range []string{"example.org", "lovelace", "score"} {
			if strings.Contains(strings.ToLower(string(d.Body)), word) {
				t.Errorf("kept is %s, in\n%s", word, d.Body)
			}
		}
		heard, err := r.Hear(d)
		if err != nil {
			t.Fatal(err)
		}
		who = append(who, heard.Facts[1].(*event.SurveyResponse).Respondent)
	}
	if who[0] != who[1] || !strings.HasPrefix(who[0], "nameless-") {
		t.Errorf("the same person is %v", who)
	}
	for _, body := range []string{"ada@example.org", `{"event_type":"form_response","form_response":{"form_id":"another","token":"t","answers":[{"text":"ada@example.org","field":{"ref":"csat"}}]}}`} {
		if d := r.Describe(http.Header{}, []byte(body)); strings.Contains(string(d.Body), "ada") {
			t.Errorf("kept is %s", d.Body)
		}
	}
}

// Shapes that Typeform does not send today.
func shapes(ref string) []string {
	return []string{
		`{"type":"matrix","matrix":{"rows":[{"label":"ada@example.org","value":17}]},"field":{"id":"f9","ref":"` + ref + `"}}`,
		`{"type":"choice","choice":["Lovelace, ada@example.org"],"field":{"id":"` + ref + `","ref":9}}`,
		`{"type":"number","number":{"value":17,"ada@example.org":true},"field":{"ref":"` + ref + `"}}`,
		`{"type":"text","text":["Lovelace"],"field":"` + ref + `"}`,
		`["` + ref + `","Lovelace"]`,
	}
}

func TestAnUnknownShapeOfWhatNobodyAsksForDoesNoHarm(t *testing.T) {
	want := hooktest.Facts(t, receiver(t), answered("form_response", "tok1", "2026-03-02T10:05:00Z", `{"person":"P-17"}`, full), time.Time{})
	for _, odd := range append(shapes("mail"), `{"type":"matrix","matrix":"csat","field":{"ref":"mail"}}`, `null`, `17`, `"Lovelace"`, `{"field":null}`, `{}`) {
		r := receiver(t)
		q := answered("form_response", "tok1", "2026-03-02T10:05:00Z", `{"person":"P-17"}`, odd+","+full)
		if d := r.Describe(q.Header, q.Body); strings.Contains(string(d.Body), "ovelace") || strings.Contains(string(d.Body), "example.org") {
			t.Errorf("%s\nkept is %s", odd, d.Body)
		}
		if diff := cmp.Diff(want, hooktest.Facts(t, r, q, time.Time{})); diff != "" {
			t.Errorf("%s\n(-want +got):\n%s", odd, diff)
		}
	}
}

// What one version does not know stays as it came, in what is kept, so that a later one can hear it.
func TestAnUnknownShapeOfWhatIsAskedForIsKeptUntilItIsKnown(t *testing.T) {
	r := receiver(t)
	for _, ref := range []string{"csat", "team"} {
		for i, odd := range shapes(ref) {
			q := answered("form_response", "tok1", "2026-03-02T10:05:00Z", `{"person":"P-17"}`, strings.Replace(full, `"`+ref+`"`, `"gone"`, 1)+","+odd)
			d := r.Describe(q.Header, q.Body)
			if _, err := r.Hear(d); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "the answer to \""+ref+"\" is of a shape that is not known") {
				t.Errorf("%s\ngot %v", odd, err)
			}
			if holds := []string{`"value":17`, `nameless-`, `"value":17`, `["Lovelace"]`, `"Lovelace"`}[i]; !strings.Contains(string(d.Body), holds) || strings.Contains(string(d.Body), "ada@") {
				t.Errorf("kept is\n%s\nwant %s in it, and no address", d.Body, holds)
			}
			// Whoever knows it needs the rest, too.
			for _, rest := range []string{`"token":"tok1"`, `"person":"P-17"`, `"Docs"`} {
				if !strings.Contains(string(d.Body), rest) {
					t.Errorf("kept is\n%s\nwithout %s", d.Body, rest)
				}
			}
		}
	}
	// A wave that does not ask for it is not harmed by one that does.
	facts := hooktest.Facts(t, r, answered("form_response", "tok3", "2026-06-02T10:05:00Z", `{}`, shapes("csat")[0]+`,{"type":"number","number":4,"field":{"ref":"rating"}}`), time.Time{})
	if *facts[1].(*event.SurveyResponse).Answers[0].Score != 4 {
		t.Errorf("got %v", hooktest.Tellings(facts))
	}
}

func TestAnUnknownShapeOfWhoAnsweredIsKeptWithoutTheirName(t *testing.T) {
	r, err := typeform.New(config(t, strings.Replace(settings, "respondent: hidden.person\n", "respondent: who\n", 1)), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, odd := range append(shapes("who"), `{"type":"phone_number","phone_number":"17 Lovelace","field":{"ref":"who"}}`) {
		q := answered("form_response", "tok1", "2026-03-02T10:05:00Z", `{}`, odd)
		d := r.Describe(q.Header, q.Body)
		for _, word := range []string{"ovelace", "example.org", "17"} {
			if text := string(d.Body); strings.Contains(text[strings.Index(text, `"answers"`):], `"`+word) || strings.Contains(text, word+`"`) {
				t.Errorf("%s\nkept is %s, in\n%s", odd, word, d.Body)
			}
		}
		if !strings.Contains(string(d.Body), `"who"`) || !strings.Contains(string(d.Body), "nameless-") {
			t.Errorf("%s\nkept is\n%s", odd, d.Body)
		}
	}
}

func TestWhatIsNotOursIsIgnoredAndWhatIsUnknownRefused(t *testing.T) {
	r := receiver(t)
	for _, q := range []hooktest.Request{
		signed(`{"event_type":"form_response","form_response":{"form_id":"another","token":"t","submitted_at":"2026-03-02T10:05:00Z"}}`),
		answered("form_response", "t", "2026-04-02T10:05:00Z", `{}`, full),
		answered("form_response_partial", "t", "2026-03-02T10:05:00Z", `{}`, full),
		answered("form_response", "t", "", `{}`, full),
	} {
		if heard, err := hooktest.Receive(t, r, q, time.Time{}); err != nil || heard.Ignored == "" {
			t.Errorf("%s\ngot %v, %v", q.Body, heard, err)
		}
	}
	hooktest.Misunderstands(t, r, http.Header{}, "", "[]", "{}", `{"event_type":"form_response","form_response":{"form_id":"Fm1"}}`,
		string(answered("form_response", "t", "yesterday", `{}`, full).Body),
		string(answered("form_response", "t", "2026-03-02T10:05:00Z", `{}`, `{"type":"choice","choice":{"label":"Splendid"},"field":{"ref":"csat"}}`).Body))
	good := answered("form_response", "t", "2026-03-02T10:05:00Z", `{}`, full)
	hooktest.Refuses(t, r, good.Body, time.Time{}, map[string]http.Header{"unsigned": {}, "hex": {"Typeform-Signature": {"sha256=00"}},
		"another": {"Typeform-Signature": {"sha256=" + base64.StdEncoding.EncodeToString(make([]byte, 32))}}})
	hooktest.Refuses(t, r, slices.Concat(good.Body, []byte(" ")), time.Time{}, map[string]http.Header{"changed": good.Header})
}

func TestSettingsThatCannotBeAreNamed(t *testing.T) {
	for change, want := range map[[2]string]string{
		{"form: Fm1\n", "form: ''\n"}:                         "surveys[0]: form is empty",
		{"ref: pain", "ref: ''"}:                              "questions[2].ref is empty",
		{"invited: unknown", "invited: maybe"}:                "invited is",
		{"respondent: hidden.person, questions", "questions"}: "respondent is empty",
		{"id: 2026Q2", "id: 2026Q1"}:                          "another wave",
		{"opens: 2026-03-01", "opens: soon"}:                  "opens is",
	} {
		if _, err := typeform.New(config(t, strings.Replace(settings, change[0], change[1], 1)), nil); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", change[1], err, want)
		}
	}
	if _, err := typeform.New(typeform.DefaultConfig(), nil); fault.KindOf(err) != fault.Invalid {
		t.Errorf("without a secret: %v", err)
	}
}

func FuzzHear(f *testing.F) {
	f.Add(answered("form_response", "tok1", "2026-03-02T10:05:00Z", `{"person":"P-17"}`, full).Body)
	r := receiver(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		d := r.Describe(http.Header{}, body)
		if _, err := r.Hear(d); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("got %v, want it invalid", err)
		}
	})
}
