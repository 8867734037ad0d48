package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// A question is one of many checks of a group that do not depend on each other.
type question struct {
	name, expected string
	// of says who is asked, so that one who hangs does not keep the others from being
	// asked in time.
	of string
	// ask is what a check does, once.
	ask func(context.Context) (measured string, err error)
}

// notAsked is the error of a check that could not be made, and why: it is skipped.
type notAsked string

func (why notAsked) Error() string { return string(why) }

// maxAtOnce bounds the questions to one that are under way, so that a busy machine
// answers each soon, and the lab is not measured at verify's own queries.
const maxAtOnce = 4

// askAll asks all questions and adds them as checks, in order, when all were answered
// as they should be, or the time is up.
func (v *verifier) askAll(ctx context.Context, group string, within time.Duration, questions []question) {
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	answers := make([]answer, len(questions))
	byOf := map[string][]int{}
	for i, q := range questions {
		byOf[q.of] = append(byOf[q.of], i)
	}
	var all sync.WaitGroup
	for _, numbers := range byOf {
		all.Go(func() { v.askSome(limited, questions, answers, numbers) })
	}
	all.Wait()
	for i, q := range questions {
		o, took := answers[i].conclude(ctx, within)
		v.add(group, q.name, q.expected, o, took)
	}
}

// askSome asks the questions with these numbers, some at once, and those again that
// were not answered as they should be, round by round: what takes its time to come
// does not keep the others from being asked.
func (v *verifier) askSome(ctx context.Context, questions []question, answers []answer, numbers []int) {
	for {
		var round errgroup.Group
		round.SetLimit(maxAtOnce)
		for _, i := range numbers {
			round.Go(func() error {
				answers[i].ask(ctx, questions[i])
				return nil
			})
		}
		_ = round.Wait() // what fails is in the answer
		numbers = slices.DeleteFunc(numbers, func(i int) bool { return answers[i].final })
		if len(numbers) == 0 || sleep(ctx, v.timing.again) != nil {
			return
		}
	}
}

// answer is what became of a question so far.
type answer struct {
	first, last time.Time // when it was asked first, and answered last
	latest      outcome
	// final says that it need not be asked again.
	final bool
}

func (a *answer) ask(ctx context.Context, q question) {
	if ctx.Err() != nil {
		return
	}
	if a.first.IsZero() {
		a.first = time.Now()
	}
	measured, err := q.ask(ctx)
	a.last = time.Now()
	if ctx.Err() != nil && err != nil && a.latest.err != nil {
		return // what it was answered before says more than that the time was up
	}
	a.latest = outcome{measured, err}
	_, skipped := errors.AsType[notAsked](err)
	a.final = err == nil || skipped
}

// conclude returns the last word, and how long that took.
func (a *answer) conclude(ctx context.Context, within time.Duration) (outcome, time.Duration) {
	o := a.latest
	switch {
	case a.final:
	case ctx.Err() != nil:
		o.err = context.Cause(ctx)
	case a.first.IsZero():
		o.err = fmt.Errorf("not asked: the others of the group have taken all of %v", within)
	default:
		o.err = fmt.Errorf("after %v: %w", within, o.err)
	}
	return o, a.last.Sub(a.first)
}
