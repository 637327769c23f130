-- What an operator may change while everything runs: SELECT pulse.configure('care', 'alert_escalate_after', '2 min').
SELECT pulse.define_setting('care', 'alert_escalate_after', '5 min', 'an alert that nobody acknowledged for so long is escalated', 'interval', '0', '10 years');
