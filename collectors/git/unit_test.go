package git

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestTagsAreClassified(t *testing.T) {
	listing := map[class]string{
		classRelease: "v1.2.3 1.2.3 v0.0.0 v10.20.30 1.0.0+build.5 v1.0.0+20130313144700 v1.0.0+21AF26D3---117B344092BD " +
			"shop/v1.2.3 shop/1.2.3 shop-v1.2.3 shop-1.2.3 shop@1.2.3 shop_v1.2.3 @acme/shop@1.2.3 services/shop/v1.2.3 Shop/v1.2.3 shop-v1.2.3+b.1",
		classPrerelease: "v1.2.3-rc.1 1.0.0-alpha v1.0.0-alpha.beta.1 v1.0.0-0.3.7 1.0.0-x-y-z.4 v1.0.0-rc.1+build.1 v1.2.3-4-gabcdef0 " +
			"shop/v1.2.3-rc.1 shop-v1.2.3-beta @acme/shop@2.0.0-next.1",
		classOther:     "cart/v1.2.3 cart-v1.2.3 @acme/cart@1.2.3 release-1.2.3 myshop/v1.2.3 shop/cart/v1.2.3 shop-web-v1.0.0 web/v1.0.0-rc.1",
		classNoVersion: "latest v1 v1.2 v1.2.3.4 01.2.3 v1.02.3 vv1.2.3 V1.2.3 2024.01.02 v1.2.3-01 v1.2.3-rc..1 v1.2.3+ v1.2.3- nightly-20240101 shop shop/v1 release 1.2.3- -1.2.3",
	}
	r, err := newReleases(Config{Service: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	for want, tags := range listing {
		for _, tag := range strings.Fields(tags) {
			if got := r.classify(tag); got != want {
				t.Errorf("%s is %q, want %q", tag, got, want)
			}
		}
	}
}

func TestPatternOfTheUserDecidesWhatARelaseIs(t *testing.T) {
	r, err := newReleases(Config{Service: "shop", TagPattern: "rel*-*"})
	if err != nil {
		t.Fatal(err)
	}
	for tag, want := range map[string]class{
		"release-2024-01-02": classRelease,
		"release-1.2.3":      classRelease,
		"rel/eu-7":           classRelease,
		"release-1.2.3-rc.1": classPrerelease,
		"v1.2.3":             classUnmatched,
		"shop/v1.2.3":        classUnmatched,
	} {
		if got := r.classify(tag); got != want {
			t.Errorf("%s is %q, want %q", tag, got, want)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, tc := range []struct {
		pattern string
		yes, no string
	}{
		{"v*", "v v1.2.3 v/x", "1 xv"},
		{"*/v*", "shop/v1 a/b/v2", "v1 shopv1"},
		{"v?.*", "v1.2 vü.", "v10.2 v1"},
		{"v[0-9]*", "v1 v12", "vx v"},
		{"v[!0-9]*", "vx", "v1"},
		{`v\*`, "v*", "v1"},
		{"a.b", "a.b", "axb"},
		{"(x|y)+", "(x|y)+", "x"},
		{"[[]x", "[x", "x"},
	} {
		re, err := glob(tc.pattern)
		if err != nil {
			t.Errorf("glob(%q): %v", tc.pattern, err)
			continue
		}
		for _, s := range strings.Fields(tc.yes) {
			if !re.MatchString(s) {
				t.Errorf("%q does not match %q", tc.pattern, s)
			}
		}
		for _, s := range strings.Fields(tc.no) {
			if re.MatchString(s) {
				t.Errorf("%q matches %q", tc.pattern, s)
			}
		}
	}
	for _, pattern := range []string{"", "[", "[]", "v[0-9", `v\`, "[z-a]"} {
		if _, err := glob(pattern); err == nil {
			t.Errorf("glob(%q) is taken", pattern)
		}
	}
}

func TestLocations(t *testing.T) {
	for _, tc := range []struct{ text, path, url, name string }{
		{"https://github.com/acme/shop.git", "", "https://github.com/acme/shop.git", "acme/shop"},
		{"https://github.com/acme/shop/", "", "https://github.com/acme/shop/", "acme/shop"},
		{"http://host:8080/shop", "", "http://host:8080/shop", "shop"},
		{"https://gitlab.example/group/sub/shop.git", "", "https://gitlab.example/group/sub/shop.git", "group/sub/shop"},
		{"ssh://git@host:2222/acme/shop.git", "", "ssh://git@host:2222/acme/shop.git", "acme/shop"},
		{"git://host/~ann/shop.git", "", "git://host/~ann/shop.git", "ann/shop"},
		{"git@github.com:acme/shop.git", "", "git@github.com:acme/shop.git", "acme/shop"},
		{"host:shop", "", "host:shop", "shop"},
		{"[::1]:acme/shop", "", "[::1]:acme/shop", "acme/shop"},
		{"file:///srv/git/shop.git", "", "file:///srv/git/shop.git", "shop"},
		{"/srv/git/shop.git", "/srv/git/shop.git", "", "shop"},
		{"/srv/git/shop.git/", "/srv/git/shop.git", "", "shop"},
		{"/srv/shop/.git", "/srv/shop/.git", "", "shop"},
		{"/srv/a:b", "/srv/a:b", "", "a:b"},
		{"/srv/a::b", "/srv/a::b", "", "a::b"},
		{"/srv/-dash", "/srv/-dash", "", "-dash"},
	} {
		got, err := locate(tc.text)
		if err != nil {
			t.Errorf("locate(%q): %v", tc.text, err)
			continue
		}
		if got.path != tc.path || got.url != tc.url || got.name != tc.name {
			t.Errorf("locate(%q) = path %q, address %q, name %q; want %q, %q, %q", tc.text, got.path, got.url, got.name, tc.path, tc.url, tc.name)
		}
	}
	here, err := locate(".")
	if err != nil || here.name != "git" || !strings.HasSuffix(here.path, "/collectors/git") {
		t.Errorf("locate(.) = %+v (%v), want this folder", here, err)
	}
}

func TestCachesOfDifferentAddressesHaveDifferentFolders(t *testing.T) {
	seen := map[string]string{}
	for _, address := range []string{
		"https://host/acme/shop", "https://host/acme/shop.git", "ssh://host/acme/shop", "https://other/acme/shop", "https://host/acme-shop",
		"git@host:acme/shop", "https://host/../../etc/shop", "https://host/" + strings.Repeat("x", 300),
	} {
		l, err := locate(address)
		if err != nil {
			t.Fatal(err)
		}
		name := cacheName(l)
		if seen[name] != "" || strings.ContainsAny(name, "/\\") || strings.HasPrefix(name, ".") || len(name) > 130 {
			t.Errorf("the folder of %s is %s (taken by %q)", address, name, seen[name])
		}
		seen[name] = address
	}
}

func TestSubjects(t *testing.T) {
	for _, tc := range []struct{ message, want string }{
		{"one line", "one line"},
		{"one line\n", "one line"},
		{"\n\n  first\n second \n\nbody", "first second"},
		{"first\r\n\r\nbody", "first"},
		{"first\n \t \nbody", "first"},
		{"", ""},
		{" \n\t\n", ""},
		{strings.Repeat("ü", 600), strings.Repeat("ü", 500)},
		{strings.Repeat("word ", 2000), strings.TrimRight(strings.Repeat("word ", 100), " ")},
	} {
		if got := subject(tc.message); got != tc.want {
			t.Errorf("subject(%.40q) = %.40q, want %.40q", tc.message, got, tc.want)
		}
	}
}

func TestMachinesAndPeople(t *testing.T) {
	for _, tc := range []struct {
		author, email string
		bot           bool
	}{
		{"dependabot[bot]", "49699333+dependabot[bot]@users.noreply.github.com", true},
		{"renovate[bot]", "29139614+renovate[bot]@users.noreply.github.com", true},
		{"Renovate Bot", "bot@renovateapp.com", true},
		{"x", "bot@renovateapp.com", true},
		{"github-actions", "github-actions@github.com", true},
		{"GitHub Action", "action@github.com", true},
		{"k8s-ci-robot", "k8s-ci-robot@users.noreply.github.com", true},
		{"fluxcdbot", "fluxcdbot@users.noreply.github.com", true},
		{"ReleaseBot", "release@corp.example", true},
		{"project_42_bot", "project42_bot@noreply.gitlab.example", true},
		{"x", "group_7_bot_3fa9@noreply.gitlab.example", true},
		{"semantic-release", "release@corp.example", true},
		{"Jenkins", "jenkins@corp.example", true},
		{"Ann Example", "ann@example.org", false},
		{"Ann Talbot", "talbot@example.org", false},
		{"Marie Chabot", "mchabot@example.org", false},
		{"Yann Le Bot", "yann.le.bot@example.org", false},
		{"Yann LeBot", "lebot@example.org", false},
		{"Bottom Line", "bottom@example.org", false},
		{"Robert Jenkins", "robert@example.org", false},
		{"Ann", "ann@robot.example", false},
		{"", "", false},
	} {
		if got := new(bots).machine(record{author: tc.author, email: tc.email}); got != tc.bot {
			t.Errorf("%s <%s>: machine %v, want %v", tc.author, tc.email, got, tc.bot)
		}
	}
}

func TestClip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "text") + string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		n := rapid.IntRange(0, 20).Draw(t, "length")
		got := clip(s, n)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > n && len(got) > n {
			t.Fatalf("clip(%q, %d) = %q", s, n, got)
		}
		if whole := strings.ToValidUTF8(s, "\uFFFD"); utf8.RuneCountInString(whole) <= n && got != whole {
			t.Fatalf("clip(%q, %d) = %q, want it whole", s, n, got)
		}
	})
}

func TestPositionsSurviveBeingWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{40, 64}).Draw(t, "length")
		shas := rapid.SliceOf(rapid.StringMatching(fmt.Sprintf("[0-9a-f]{%d}", size))).Draw(t, "shas")
		states := tagStates(rapid.MapOf(rapid.Uint64(), rapid.Uint64()).Draw(t, "tags"))
		c := cursor{Version: cursorVersion, Repository: "shop", Tips: packSHAs(shas), Services: map[string]shipped{"shop": {Tags: states.pack()}}}
		read, err := readCursor(c.String(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, read); diff != "" {
			t.Fatalf("cursor (-written +read):\n%s", diff)
		}
		if got := unpackSHAs(read.Tips); strings.Join(got, " ") != strings.Join(shas, " ") {
			t.Fatalf("shas %v, want %v", got, shas)
		}
		if diff := cmp.Diff(states, unpackTags(read.Services["shop"].Tags)); diff != "" {
			t.Fatalf("tags (-written +read):\n%s", diff)
		}
	})
}

func TestTooManyFilesAreNotListed(t *testing.T) {
	if got := paths(make([]string, maxPaths+1)); got != nil {
		t.Errorf("%d paths are told, an event takes %d", len(got), maxPaths)
	}
	long := strings.Repeat("d/", 5000)
	if got := paths([]string{"a", long}); got[0] != "a" || got[1] != long[:maxText] {
		t.Errorf("paths are %.20q of %d and %d bytes", got, len(got[0]), len(got[1]))
	}
}

func TestNotesSayWhatWasLeftOutAndWhatToDo(t *testing.T) {
	r := Report{Branch: "main"}
	if notes := r.Notes(); len(notes) != 0 {
		t.Errorf("notes are %q, want none", notes)
	}
	r.Shallow, r.Undated, r.Unlisted = true, 2, 1
	for i := range 5 {
		r.tag(classNoVersion, fmt.Sprintf("nightly-%d", i))
	}
	r.tag(classOther, "cart/v1.0.0")
	r.tag(classNoCommit, "tree")
	r.tag(classUnmatched, "x")
	want := []string{
		"The clone is shallow: lead times of changes near its cut are too short or missing.",
		"5 tags are no semantic version and no deployment, such as nightly-0, nightly-1, nightly-2: --tag-pattern takes other names.",
		"1 tag is of another component than the service, such as cart/v1.0.0: --tag-pattern takes other names.",
		"1 tag is not in the tag pattern, such as x.",
		"1 tag is no commit but a tree or a file, such as tree.",
		"Commits with a date that cannot be: 2. The other of their two dates stands for it.",
		"Commits that touch more than 200000 files: 1. Their files are not listed.",
	}
	if diff := cmp.Diff(want, r.Notes()); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}
