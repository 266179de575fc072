# Makes two people who keep tickets in the queue General, and prints a token for each.
use strict;
use warnings;
use lib '/usr/share/request-tracker5/lib';
use RT -init;

my @rights = qw(SeeQueue ShowTicket ShowTicketComments CreateTicket ReplyToTicket CommentOnTicket
    ModifyTicket OwnTicket TakeTicket StealTicket ReassignTicket);
my $queue = RT::Queue->new(RT->SystemUser);
$queue->Load('General') or die 'there is no queue General';
for my $login (qw(sentinel amina)) {
    my $user = RT::User->new(RT->SystemUser);
    my ($made, $why) = $user->Create(Name => $login, EmailAddress => "$login\@example.org", Privileged => 1);
    die "$login: $why" unless $made;
    for my $right (@rights) {
        my ($granted, $said) = $user->PrincipalObj->GrantRight(Right => $right, Object => $queue);
        die "$right: $said" unless $granted;
    }
    my $token = RT::AuthToken->new(RT->SystemUser);
    my ($kept, $message, $text) = $token->Create(Owner => $user->Id, Description => 'test');
    die "$login: $message" unless $kept;
    print "$login $text\n";
}
