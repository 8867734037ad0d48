package traffic

import "math/rand/v2"

// users are the users that the run has created and that exist for certain, and the
// requests that are reading them. The run deletes a user only after its creation was
// answered and while no request reads it, so the right status of every request is known
// when it is sent. It is not safe for concurrent use; the planner's lock guards it.
type users struct {
	ids     []int64
	at      map[int64]int // id to its place in ids
	readers map[int64]int // requests under way that read the id
}

func newUsers() *users {
	return &users{at: make(map[int64]int), readers: make(map[int64]int)}
}

func (u *users) len() int { return len(u.ids) }

// add notes that the user exists.
func (u *users) add(id int64) {
	if _, known := u.at[id]; known {
		return
	}
	u.at[id] = len(u.ids)
	u.ids = append(u.ids, id)
}

// read picks a user to read; released must follow.
func (u *users) read(rng *rand.Rand) (int64, bool) {
	if len(u.ids) == 0 {
		return 0, false
	}
	id := u.ids[rng.IntN(len(u.ids))]
	u.readers[id]++
	return id, true
}

// released notes that a request that read the user has ended.
func (u *users) released(id int64) {
	if u.readers[id]--; u.readers[id] <= 0 {
		delete(u.readers, id)
	}
}

// take picks a user that no request reads, and forgets the user. The caller deletes it.
func (u *users) take(rng *rand.Rand) (int64, bool) {
	n := len(u.ids)
	if n == 0 {
		return 0, false
	}
	start := rng.IntN(n)
	for i := range n {
		id := u.ids[(start+i)%n]
		if u.readers[id] == 0 {
			u.remove(id)
			return id, true
		}
	}
	return 0, false
}

func (u *users) remove(id int64) {
	i, last := u.at[id], len(u.ids)-1
	u.ids[i] = u.ids[last]
	u.at[u.ids[i]] = i
	u.ids = u.ids[:last]
	delete(u.at, id)
}
