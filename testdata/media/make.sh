#!/bin/sh
# Makes the files of this directory again, beside the script. Needs ffmpeg with libx264, libx265, libvpx, libaom and
# libopus. Another version of an encoder gives other bytes; the committed files are the ones that the tests know.
set -eu
cd "$(dirname "$0")"

ff() { ffmpeg -hide_banner -loglevel error -y "$@"; }

VIDEO='-f lavfi -i testsrc2=s=48x32:r=10:d=2'
AUDIO='-f lavfi -i sine=f=440:r=8000:d=2'
H264='-c:v libx264 -preset ultrafast -crf 51 -g 10 -x264-params sei=0:info=0 -flags:v +bitexact'
H264_B='-c:v libx264 -preset veryfast -crf 51 -g 10 -bf 2 -x264-params info=0 -flags:v +bitexact'
H265='-c:v libx265 -preset ultrafast -crf 51 -g 10 -x265-params keyint=10:info=0:log-level=none -tag:v hvc1'
VP9='-c:v libvpx-vp9 -b:v 10k -crf 63 -g 10'
AV1='-c:v libaom-av1 -cpu-used 8 -crf 63 -g 10 -row-mt 0 -threads 1'
AAC='-c:a aac -b:a 8k -flags:a +bitexact'
OPUS='-c:a libopus -b:a 6k'
PLAIN='-bitexact -map_metadata -1 -fflags +bitexact'
# shellcheck disable=SC2086
{
ff $VIDEO $AUDIO $H264 $AAC $PLAIN -movflags frag_keyframe+empty_moov h264-aac-live.mp4
ff $VIDEO $AUDIO $H264 $AAC $PLAIN -movflags frag_keyframe+empty_moov+default_base_moof h264-aac-dbm.mp4
ff $VIDEO $AUDIO $H264 $AAC $PLAIN -movflags frag_keyframe h264-aac-hybrid.mp4
ff $VIDEO $AUDIO $H264 $AAC $PLAIN -movflags frag_keyframe+empty_moov+separate_moof+omit_tfhd_offset \
    h264-aac-separate.mp4
ff -f lavfi -i testsrc2=s=48x32:r=10:d=0.6 $H264 $PLAIN -movflags frag_every_frame+empty_moov+default_base_moof \
    h264-per-frame.mp4
ff $VIDEO $AUDIO $H264_B $AAC $PLAIN -movflags dash+frag_keyframe+empty_moov+default_base_moof+cmaf \
    h264-bframes-cmaf.mp4
ff $VIDEO $AUDIO $H264_B $AAC $PLAIN -movflags frag_keyframe+delay_moov+default_base_moof h264-edit-list.mp4
ff $VIDEO $AUDIO $H265 $AAC $PLAIN -movflags frag_keyframe+empty_moov+default_base_moof h265-aac.mp4
ff $VIDEO $AUDIO $VP9 $OPUS -strict -2 $PLAIN -movflags frag_keyframe+empty_moov+default_base_moof vp9-opus.mp4
ff -f lavfi -i testsrc2=s=64x64:r=10:d=2 $AUDIO $AV1 $OPUS $PLAIN \
    -movflags frag_keyframe+empty_moov+default_base_moof av1-opus.mp4
ff $AUDIO $AAC $PLAIN -movflags empty_moov+default_base_moof -frag_duration 500000 aac-only.mp4

dash=$(mktemp -d)
ff $VIDEO $H264 $PLAIN -f dash -seg_duration 1 -use_template 1 -single_file 0 "$dash/out.mpd"
cat "$dash/init-stream0.m4s" "$dash"/chunk-stream0-*.m4s > h264-dash-segments.mp4
rm -r "$dash"

ff $VIDEO $H264 $PLAIN -movflags faststart progressive.mp4
ff $VIDEO $H264 $PLAIN progressive-moov-last.mp4
ff $VIDEO $H264 $PLAIN -f mov quicktime.mov
ff $VIDEO $H264 $PLAIN -f matroska matroska.mkv
ff $VIDEO -c:v mpeg4 -q:v 31 $PLAIN -f avi riff.avi
ff -f lavfi -i testsrc2=s=48x32:r=10:d=0.3 $H264 $PLAIN -f mpegts transport.ts
}
