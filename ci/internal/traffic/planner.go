package traffic

import (
	"encoding/json"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
)

// planned is a request that was sent and not yet settled.
type planned struct {
	n      int // sequence number, from 1
	kind   Kind
	id     int64  // of the user read or deleted, or an id that no user has
	cursor string // of a list
}

// planner decides what each request is, and learns from the answers which users of
// this run exist. A run of N requests is exactly N requests and leaves no users behind:
// near its end the planner only deletes. The end begins when the requests left are as
// many as the run's users, and a few more for answers under way.
type planner struct {
	total  int
	margin int  // requests at the end in which answers under way may come in
	keep   bool // users stay after the run, see [Options.KeepUsers]

	mu       sync.Mutex
	mix      *mix
	rng      *rand.Rand // picks users and cursors. The mix has its own, because how often this one is used depends on the answers
	users    *users
	sent     int
	underway map[int]planned
	creating int          // creations sent and not answered
	unknown  map[int]bool // creations that ended without an answer: the user may exist
	cursor   string
}

func newPlanner(p Profile) *planner {
	return &planner{
		total: p.Requests,
		// Half a second of requests, a tenth of the run at most.
		margin: int(math.Ceil(min(p.Rate/2, float64(p.Requests)/10))),
		mix:    newMix(p), rng: rand.New(rand.NewPCG(p.Seed, 1)),
		users: newUsers(), underway: make(map[int]planned), unknown: make(map[int]bool),
	}
}

// next plans the next request; false when all have been.
func (p *planner) next() (planned, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sent >= p.total {
		return planned{}, false
	}
	p.sent++
	r := p.fill(planned{n: p.sent, kind: p.schedule(p.mix.next())})
	if r.kind == Create {
		p.creating++
	}
	p.underway[r.n] = r
	return r, true
}

// schedule turns the requests at the end of the run into deletions, see [planner].
func (p *planner) schedule(k Kind) Kind {
	settling := p.settling()
	fault := k == Slow || k == Failing // deletions replace other kinds first: the profile promises the shares of faults
	switch {
	case settling && p.users.len() > 0 && (!fault || p.left() <= p.own()):
		return Delete
	case settling && (k == Get || k == Create || k == Delete):
		return List
	}
	return k
}

// left is the number of requests to come, the one being planned included.
func (p *planner) left() int { return p.total - p.sent + 1 }

// own is the number of users of this run that exist or are about to.
func (p *planner) own() int { return p.users.len() + p.creating }

// settling reports whether the run is near its end, see [planner].
func (p *planner) settling() bool { return !p.keep && p.left() <= p.own()+p.margin }

// fill completes the request; when there is no user to delete or to read, it
// becomes another kind of request.
func (p *planner) fill(r planned) planned {
	var ok bool
	if r.kind == Delete {
		if r.id, ok = p.users.take(p.rng); ok {
			return r
		}
		r.kind = Get
	}
	if r.kind == Get {
		if !p.settling() { // a user that is being read cannot be deleted
			if r.id, ok = p.users.read(p.rng); ok {
				return r
			}
		}
		r.kind = List
	}
	switch r.kind {
	case List:
		if p.rng.IntN(2) == 0 {
			r.cursor = p.cursor
		}
	case Missing:
		r.id = 1<<53 - int64(r.n) // the largest ids that every JSON reader keeps exact
	}
	return r
}

// settle takes in the answer to request n; status 0 means that no answer came. It
// returns the request, and what is wrong with the answer besides its status.
func (p *planner) settle(n, status int, body []byte) (r planned, wrong string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.underway[n]
	if !ok {
		return planned{n: n}, "an answer to a request that was not sent"
	}
	delete(p.underway, n)
	switch r.kind {
	case Create:
		p.creating--
		r.id, wrong = p.created(n, status, body)
		return r, wrong
	case Get:
		p.users.released(r.id)
	case Delete:
		if status != http.StatusNoContent && status != http.StatusNotFound {
			p.users.add(r.id) // it may still be there: try again, at the latest when cleaning up
		}
	case List:
		var page struct {
			NextCursor string `json:"next_cursor"`
		}
		if status == http.StatusOK && json.Unmarshal(body, &page) == nil {
			p.cursor = page.NextCursor
		}
	}
	return r, ""
}

// created takes in the answer to a creation, and returns the new user's id where the
// answer has one.
func (p *planner) created(n, status int, body []byte) (id int64, wrong string) {
	var user struct {
		ID int64 `json:"id"`
	}
	switch {
	case status == http.StatusCreated && json.Unmarshal(body, &user) == nil && user.ID > 0:
		if !p.keep || user.ID%2 == 0 { // the others are neither read nor deleted: they stay
			p.users.add(user.ID)
		}
		return user.ID, ""
	case status == http.StatusCreated:
		p.unknown[n] = true
		return 0, "the answer 201 does not hold the new user's id"
	case status == 0 || status >= 500:
		p.unknown[n] = true
	}
	return 0, ""
}

// progress is the number of requests sent and under way.
func (p *planner) progress() (sent, underway int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent, len(p.underway)
}

// stop ends the planning: next returns false from now on.
func (p *planner) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total = p.sent
}

// abandoned lists the requests under way, in order.
func (p *planner) abandoned() []planned {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.SortedFunc(maps.Values(p.underway), func(a, b planned) int { return a.n - b.n })
}

// leftovers is what is still to be deleted: users known to exist, and whether
// there may be others that only their e-mail tells. Creations still under way
// count as such.
func (p *planner) leftovers() (ids []int64, unknown bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids = append(ids, p.users.ids...)
	for _, r := range p.underway {
		if r.kind == Delete {
			ids = append(ids, r.id)
		}
	}
	return ids, len(p.unknown) > 0 || p.creating > 0
}
