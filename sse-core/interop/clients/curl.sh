# `curl -N` in a shell loop; report.mjs describes the output.

url=$1
last=
status=$(mktemp)
trap 'rm -f "$status"' EXIT

while :; do
    type=message id=$last data=
    # A line that a broken connection cut is not read.
    while IFS= read -r line; do
        case $line in
        "event: "*) type=${line#event: } ;;
        "id: "*) id=${line#id: } ;;
        "data: "*) data=$data\\n${line#data: } ;;
        "")
            last=$id
            printf '%s\t%s\t%s\n' "$type" "$id" "${data#\\n}"
            type=message data=
            ;;
        esac
    done < <(curl -sN -o - -w '%{stderr}%{http_code}' -H "Last-Event-ID: $last" "$url" 2>"$status")
    wait $!
    [ "$(cat "$status")" != 204 ] || break
    sleep 0.3
done
