#!/bin/sed -Ef
# Makes of the lab's turnpike.yaml the one that is installed: nobody can log in before the operator has
# said who, the lab's network is no peer, and the service becomes the account that comes with it.
s/^# As it stands, this file runs a relay on one interface of a lab\. /# It is refused until `auth` says who may use the relay. /
s/^  (users:)$/  # \1/
s/^  (  - \{name: demo, password: change-me\})$/  # \1/
s/^  (allow: \["198\.18\.0\.0\/15"\])$/  # \1/
s/ 198\.18\.0\.0\/15 is the lab's own network: remove it in production\.$/ (The value shown is an example.)/
s/^# (user: turnpike)$/\1/
