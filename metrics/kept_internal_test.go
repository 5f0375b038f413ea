package metrics

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cairn/metrics/derive"
)

// desk is a kept with a clock and an epoch that the test sets, and answers that say which computation they are of.
type desk struct {
	kept  kept
	now   time.Time
	epoch derive.Epoch
	made  atomic.Int64
}

func (d *desk) compute(context.Context) (Result, error) {
	return Result{N: d.made.Add(1), Flags: []string{}, Parts: map[string]any{"p50": 1.0}, Series: make([]Point, 10)}, nil
}

func (d *desk) ask(ctx context.Context, metric string, compute func(context.Context) (Result, error)) (Result, error) {
	return keep(ctx, &d.kept, time.Minute, func() time.Time { return d.now }, func() derive.Epoch { return d.epoch }, requestKey{metric: metric}, compute)
}

func TestAnAnswerIsKeptUntilItIsOldOrTheEpochEnds(t *testing.T) {
	d := &desk{now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	for _, step := range []struct {
		what   string
		change func()
		metric string
		want   int64
	}{
		{"the first", func() {}, "a", 1},
		{"the same", func() {}, "a", 1},
		{"another", func() {}, "b", 2},
		{"almost old", func() { d.now = d.now.Add(time.Minute - 1) }, "a", 1},
		{"old", func() { d.now = d.now.Add(1) }, "a", 3},
		{"the clock went back", func() { d.now = d.now.Add(-time.Hour) }, "a", 4},
		{"something arrived", func() { d.epoch.Arrivals++ }, "a", 5},
		{"the same again", func() {}, "a", 5},
		{"something was derived", func() { d.epoch.Changes++ }, "a", 6},
	} {
		step.change()
		res, err := d.ask(t.Context(), step.metric, d.compute)
		if err != nil {
			t.Fatal(err)
		}
		if res.N != step.want {
			t.Errorf("%s: got the answer of computation %v, want %d", step.what, res.N, step.want)
		}
		res.Flags, res.Parts["p50"], res.Series[0].Label = append(res.Flags, "changed"), "changed", "changed"
		if again, err := d.ask(t.Context(), step.metric, d.compute); err != nil || len(again.Flags) > 0 || again.Parts["p50"] != 1.0 || again.Series[0].Label != "" {
			t.Errorf("%s: a caller changed what others are answered: %+v, %v", step.what, again, err)
		}
	}
}

func TestAnErrorIsNotKept(t *testing.T) {
	d := &desk{}
	broken := errors.New("broken")
	if _, err := d.ask(t.Context(), "a", func(context.Context) (Result, error) { return Result{}, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	if _, err := d.ask(t.Context(), "a", func(context.Context) (Result, error) { panic("broken") }); err == nil {
		t.Error("a panic was no error")
	}
	if res, err := d.ask(t.Context(), "a", d.compute); err != nil || res.N != int64(1) {
		t.Errorf("got %v, %v after errors, want the first answer", res.N, err)
	}
}

func TestKeptAnswersAreBounded(t *testing.T) {
	d := &desk{}
	large := func(ctx context.Context) (Result, error) {
		res, err := d.compute(ctx)
		res.Series = make([]Point, maxKept/2-1)
		return res, err
	}
	for _, step := range []struct {
		metric string
		want   int64
	}{{"a", 1}, {"b", 2}, {"a", 1}, {"c", 3}, {"a", 1}, {"b", 4}} { // c pushes b out, which was not used for the longest
		if res, err := d.ask(t.Context(), step.metric, large); err != nil || res.N != step.want {
			t.Errorf("%s: got %v, %v, want %d", step.metric, res.N, err, step.want)
		}
	}
	if d.kept.points > maxKept || len(d.kept.answers) != d.kept.used.Len() {
		t.Errorf("%d points are kept of %d answers in a list of %d", d.kept.points, len(d.kept.answers), d.kept.used.Len())
	}
	if _, err := d.ask(t.Context(), "huge", func(context.Context) (Result, error) { return Result{Series: make([]Point, 2*maxKept)}, nil }); err != nil || len(d.kept.answers) == 0 {
		t.Error("an answer that is too large pushed the others out")
	}
}

// Equal questions that come together are computed once. Who does not wait any longer fails nobody else; only when
// nobody waits does the computation end.
func TestEqualQuestionsAreComputedOnce(t *testing.T) {
	d := &desk{}
	begun, finish := make(chan struct{}), make(chan struct{})
	slow := func(ctx context.Context) (Result, error) {
		close(begun)
		select {
		case <-finish:
			return d.compute(ctx)
		case <-ctx.Done():
			return Result{}, ctx.Err()
		}
	}
	first, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := d.ask(first, "a", slow)
		left <- err
	}()
	<-begun
	var others sync.WaitGroup
	for range 5 {
		others.Go(func() {
			if res, err := d.ask(context.Background(), "a", d.compute); err != nil || res.N != int64(1) {
				t.Errorf("got %v, %v, want the answer that was being computed", res.N, err)
			}
		})
	}
	for waiting := 0; waiting < 6; time.Sleep(time.Millisecond) {
		d.kept.mu.Lock()
		waiting = d.kept.flights[requestKey{metric: "a"}].waiting
		d.kept.mu.Unlock()
	}
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v for who left, want %v", err, context.Canceled)
	}
	close(finish)
	others.Wait()

	begun, finish = make(chan struct{}), make(chan struct{})
	alone, leave := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := d.ask(alone, "b", func(ctx context.Context) (Result, error) {
			res, err := slow(ctx)
			ended <- err
			return res, err
		})
		left <- err
	}()
	<-begun
	leave()
	<-left
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("with nobody waiting the computation ended with %v, want %v", err, context.Canceled)
	}
	if res, err := d.ask(t.Context(), "b", d.compute); err != nil || res.N != int64(2) {
		t.Errorf("got %v, %v after everybody left, want a new answer", res.N, err)
	}
}

// What was computed in an epoch that is over is for those who asked then, and for nobody else.
func TestAnAnswerOfAnEpochThatIsOverIsNotKept(t *testing.T) {
	d := &desk{}
	res, err := d.ask(t.Context(), "a", func(ctx context.Context) (Result, error) {
		d.epoch.Arrivals++
		if inner, err := d.ask(ctx, "b", d.compute); err != nil || inner.N != int64(1) {
			t.Errorf("got %v, %v", inner.N, err)
		}
		return d.compute(ctx)
	})
	if err != nil || res.N != int64(2) {
		t.Errorf("got %v, %v, want the second", res.N, err)
	}
	if res, err := d.ask(t.Context(), "a", d.compute); err != nil || res.N != int64(3) {
		t.Errorf("got %v, %v, want a new answer", res.N, err)
	}
}

// What a kept answer is made of belongs to nobody else: a clone is equal, and shares no memory that could be changed.
func TestACloneSharesNothing(t *testing.T) {
	for _, answer := range []any{&ServiceList{}, &ServiceRecord{}, &TeamList{}, &TeamRecord{}, &DeploymentList{}, &ChangeList{}, &IncidentList{}, &Evidence{}, &results{}} {
		v := reflect.ValueOf(answer).Elem()
		fillIn(v)
		clone := v.Interface()
		switch c := clone.(type) {
		case ServiceList:
			clone = c.clone()
		case ServiceRecord:
			clone = c.clone()
		case TeamList:
			clone = c.clone()
		case TeamRecord:
			clone = c.clone()
		case DeploymentList:
			clone = c.clone()
		case ChangeList:
			clone = c.clone()
		case IncidentList:
			clone = c.clone()
		case Evidence:
			clone = c.clone()
		case results:
			clone = c.clone()
		}
		if !reflect.DeepEqual(clone, v.Interface()) {
			t.Errorf("the clone of %T is %+v, want %+v", clone, clone, v.Interface())
		}
		apart(t, v.Type().String(), v, reflect.ValueOf(clone))
	}
}

// fillIn puts something in every part of a value.
func fillIn(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillIn(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fillIn(v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fillIn(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fillIn(v.Field(i))
			}
		}
	}
}

func apart(t *testing.T, where string, a, b reflect.Value) {
	switch a.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		if a.UnsafePointer() == b.UnsafePointer() {
			t.Errorf("%s is shared", where)
		}
	}
	switch a.Kind() {
	case reflect.Pointer:
		apart(t, where, a.Elem(), b.Elem())
	case reflect.Slice:
		apart(t, where+"[]", a.Index(0), b.Index(0))
	case reflect.Map:
		for _, k := range a.MapKeys() {
			apart(t, where+"[]", a.MapIndex(k), b.MapIndex(k))
		}
	case reflect.Struct:
		for i := range a.NumField() {
			if a.Type().Field(i).IsExported() {
				apart(t, where+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i))
			}
		}
	}
}
