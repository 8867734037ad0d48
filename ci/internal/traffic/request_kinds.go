package traffic

import (
	"math/rand/v2"
	"net/http"
)

// Kind is a kind of request.
type Kind string

// The kinds of requests.
const (
	List    Kind = "list"    // GET /api/users: a page of users, the next one every other time
	Get     Kind = "get"     // GET /api/users/{id} of a user that this run created
	Stats   Kind = "stats"   // GET /api/stats
	Create  Kind = "create"  // POST /api/users with an e-mail of this run's own
	Delete  Kind = "delete"  // DELETE /api/users/{id} of a user that this run created
	Missing Kind = "missing" // GET /api/users/{id} of an id that no user has
	Slow    Kind = "slow"    // GET /api/users with the fault "delay"
	Failing Kind = "error"   // GET /api/users with the fault "error"
)

// KindSpec describes a kind of request.
type KindSpec struct {
	Kind   Kind
	Weight float64 // share of the requests that are neither slow nor failing; the weights add up to 1
	Status int     // the one right status of the answer
}

// Kinds lists the kinds with their shares and right statuses. The frontend passes all of
// them to the backend. A run deletes as many users as it creates, so a run of any length
// keeps few users of its own.
func Kinds() []KindSpec {
	return []KindSpec{
		{List, 0.25, http.StatusOK},
		{Get, 0.30, http.StatusOK},
		{Stats, 0.10, http.StatusOK},
		{Create, 0.15, http.StatusCreated},
		{Delete, 0.15, http.StatusNoContent},
		{Missing, 0.05, http.StatusNotFound},
		{Slow, 0, http.StatusOK},
		{Failing, 0, http.StatusInternalServerError},
	}
}

// want is the status that a request of kind k must be answered with.
func want(k Kind) int {
	for _, s := range Kinds() {
		if s.Kind == k {
			return s.Status
		}
	}
	return 0
}

// mix yields kinds in an order that depends on the seed alone and keeps every kind's
// share at any moment. With every request each kind gains its share as credit; the
// chosen kind pays 1. Chance decides among the kinds with the most credit, so the order
// is not a pattern.
type mix struct {
	rng    *rand.Rand
	shares []KindSpec // Weight is the share of all requests
	credit []float64
}

func newMix(p Profile) *mix {
	m := &mix{rng: rand.New(rand.NewPCG(p.Seed, 0x7472616666696321)), shares: Kinds()}
	for i, s := range m.shares {
		switch s.Kind {
		case Slow:
			m.shares[i].Weight = p.Slow
		case Failing:
			m.shares[i].Weight = p.Error
		default:
			m.shares[i].Weight = s.Weight * (1 - p.Slow - p.Error)
		}
	}
	m.credit = make([]float64, len(m.shares))
	return m
}

func (m *mix) next() Kind {
	best, bestScore := 0, -1e9
	for i, s := range m.shares {
		m.credit[i] += s.Weight
		score := m.credit[i] + m.rng.Float64()
		if s.Weight > 0 && score > bestScore {
			best, bestScore = i, score
		}
	}
	m.credit[best]--
	return m.shares[best].Kind
}
