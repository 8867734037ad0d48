package chaos

import (
	"fmt"
	"net/http"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

// users compares the users that exist with the answers.
func (j *judgement) users() {
	exist := map[int64]traffic.User{}
	emails := map[string]int{}
	for _, u := range j.b.Users {
		exist[u.ID] = u
		emails[u.Email]++
	}
	deleted := j.deletions()
	var lost, revived, wrong []int
	due, survived := 0, 0
	for _, a := range j.b.Answers {
		if a.Kind != traffic.Create || a.Status != 201 || a.UserID == 0 {
			continue
		}
		u, there := exist[a.UserID]
		switch {
		case deleted[a.UserID] == gone && there:
			revived = append(revived, a.N)
		case deleted[a.UserID] == gone || deleted[a.UserID] == perhaps:
		case deleted[a.UserID] == missing || !there:
			due++
			lost = append(lost, a.N)
		default:
			due++
			if j.before(a) {
				survived++
			}
			if u.Email != traffic.Email(j.b.TracePrefix, a.N) || u.Name != traffic.Name(a.N) {
				wrong = append(wrong, a.N)
			}
		}
	}
	twice := 0
	for _, n := range emails {
		twice += n - 1
	}
	j.o.Users = Balance{Due: due, Lost: len(lost), Doubled: twice, Wrong: len(revived) + len(wrong)}
	complaints := []string{
		j.list(lost, "creations were answered 201, and their users are not there"),
		j.list(revived, "users were deleted, and are there again"),
		j.list(wrong, "users are not what was created"),
	}
	if twice > 0 {
		complaints = append(complaints, fmt.Sprintf("%d users are there twice", twice))
	}
	if j.b.UsersProblem != "" {
		complaints = append(complaints, "the users could not be read: "+j.b.UsersProblem)
	}
	j.say(Users, fmt.Sprintf("%d users due, %d of them from before the harm, %d lost", due, survived, len(lost)), complaints...)
	if v := j.verdicts[Users]; survived == 0 && v.Outcome == Kept {
		v.Outcome, v.Detail = NotTested, "no user was there from before the harm"
		j.verdicts[Users] = v
	}
}

// before tells whether the request was answered before anything was done to the lab.
func (j *judgement) before(a traffic.Answer) bool {
	return len(j.o.Actions) > 0 && a.Ended.Before(j.o.Actions[0].At)
}

// What became of a user that a request was to delete.
const (
	untouched = iota // no request was to delete the user
	perhaps          // the answer does not say
	gone
	missing // the first request to delete the user found none
)

// deletions are what the answers say of the users that were to be deleted.
func (j *judgement) deletions() map[int64]int {
	fate := map[int64]int{}
	for _, a := range j.b.Answers {
		if a.Kind != traffic.Delete || a.UserID == 0 {
			continue
		}
		switch was := fate[a.UserID]; {
		case a.Status == http.StatusNotFound && was == untouched:
			fate[a.UserID] = missing
		case a.Status == http.StatusNoContent || a.Status == http.StatusNotFound && was == perhaps:
			fate[a.UserID] = gone
		case was == untouched:
			fate[a.UserID] = perhaps
		}
	}
	return fate
}
