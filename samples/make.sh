#!/bin/sh
# Makes the sample videos from nothing but ffmpeg's own generators; see README.md.
# Needs ffmpeg with libx264, drawtext and flite, and the fonts of fonts-noto-cjk and fonts-dejavu-core (Debian 12 has all).
set -eu
cd "$(dirname "$0")"

cjk=/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc
mono=/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf

# Fragmented MP4 that every browser plays: H.264 Main and AAC, a keyframe and with it a fragment every two seconds.
# One thread and bit-exact headers, so that the same ffmpeg makes the same bytes.
encode() {
    output=$1
    shift
    ffmpeg -hide_banner -loglevel error -y -threads 1 -filter_threads 1 "$@" \
        -c:v libx264 -profile:v main -preset slow -pix_fmt yuv420p -r 25 \
        -x264-params keyint=50:min-keyint=50:scenecut=0:threads=1 \
        -c:a aac -b:a 48k -ac 1 -ar 44100 \
        -map_metadata -1 -fflags +bitexact -flags:v +bitexact -flags:a +bitexact \
        -movflags frag_keyframe+empty_moov+default_base_moof "$output"
}

# patrol.mp4: a drive along an invented street. Houses and road markings pass at different speeds, vehicles overtake,
# a clock runs; a voice, a motor and a tick every second.
encode patrol.mp4 \
    -f lavfi -i "gradients=s=640x360:r=25:c0=0x7fb2dd:c1=0xf3e9d8:x0=320:y0=0:x1=320:y1=230:n=2:speed=0.00001" \
    -f lavfi -i "color=c=0x8d7b6a:s=640x120:r=25" \
    -f lavfi -i "color=c=0x3c4148:s=640x130:r=25" \
    -f lavfi -i "color=c=0xb3261e:s=118x44:r=25" \
    -f lavfi -i "color=c=0x1f6f54:s=190x76:r=25" \
    -f lavfi -i "anoisesrc=c=brown:r=44100:a=0.5:seed=7" \
    -f lavfi -i "aevalsrc='0.12*sin(2*PI*1000*t)*lt(mod(t\,1)\,0.04)+0.10*sin(2*PI*(70+12*sin(t/2))*t)':s=44100" \
    -f lavfi -i "flite=text='Recorder one. Demonstration patrol. The street\, the vehicles and the position are invented. This recording is sealed while it is being made.':voice=slt" \
    -filter_complex "
        [1]drawbox=0:0:150:40:0x00ff00:fill,drawbox=150:0:120:14:0x00ff00:fill,drawbox=410:0:110:52:0x00ff00:fill,
           drawbox=20:58:24:26:0xf6e7a8:fill,drawbox=66:58:24:26:0x53636e:fill,drawbox=108:58:24:26:0x53636e:fill,
           drawbox=168:30:26:24:0x53636e:fill,drawbox=214:30:26:24:0xf6e7a8:fill,drawbox=168:70:26:24:0x53636e:fill,
           drawbox=214:70:26:24:0x53636e:fill,drawbox=290:18:100:20:0xd9c9b0:fill,drawbox=300:56:34:64:0x4a3a30:fill,
           drawbox=350:60:30:26:0x53636e:fill,drawbox=430:68:22:26:0x53636e:fill,drawbox=474:68:22:26:0xf6e7a8:fill,
           drawbox=540:24:28:24:0xf6e7a8:fill,drawbox=590:24:28:24:0x53636e:fill,drawbox=540:66:28:24:0x53636e:fill,
           drawbox=590:66:28:24:0x53636e:fill,drawtext=fontfile=$cjk:text='书店':fontsize=16:fontcolor=0x5b3a1e:x=324:y=18,
           split[h1][h2];[h1][h2]hstack,colorkey=0x00ff00:0.2[houses];
        [2]drawbox=0:0:640:10:0x8b8f93:fill,drawbox=0:62:90:7:0xe9e4d0:fill,drawbox=160:62:90:7:0xe9e4d0:fill,
           drawbox=320:62:90:7:0xe9e4d0:fill,drawbox=480:62:90:7:0xe9e4d0:fill,split[r1][r2];[r1][r2]hstack[road];
        [3]drawbox=14:6:34:16:0xcfe2ee:fill,drawbox=58:6:44:16:0xcfe2ee:fill,drawbox=12:34:22:10:0x111111:fill,
           drawbox=84:34:22:10:0x111111:fill[car];
        [4]drawbox=8:10:40:26:0xcfe2ee:fill,drawbox=56:10:40:26:0xcfe2ee:fill,drawbox=104:10:40:26:0xcfe2ee:fill,
           drawbox=152:10:32:26:0xcfe2ee:fill,drawbox=24:64:28:12:0x111111:fill,drawbox=140:64:28:12:0x111111:fill,
           drawtext=fontfile=$cjk:text='公交 88':fontsize=18:fontcolor=white:x=60:y=42[bus];
        [0][houses]overlay=x='-mod(t*46,640)':y=112:shortest=0[s1];
        [s1][road]overlay=x='-mod(t*190,640)':y=230[s2];
        [s2][bus]overlay=x='700-mod(t*95,980)':y=206[s3];
        [s3][car]overlay=x='-160+mod(t*71,900)':y='284+2*sin(t*9)'[s4];
        [s4]drawbox=0:0:640:30:black@0.45:fill,
           drawtext=fontfile=$cjk:text='演示录像 · 记录仪 01':fontsize=17:fontcolor=white:x=10:y=4,
           drawtext=fontfile=$mono:text='%{pts\:hms}':fontsize=18:fontcolor=white:x=w-tw-10:y=7[v];
        [5]lowpass=f=260,volume=0.5[street];[7]adelay=1500,apad[voice];
        [street][6][voice]amix=inputs=3:duration=longest:normalize=0,alimiter=limit=0.9[a]" \
    -map "[v]" -map "[a]" -t 20 -b:v 420k -maxrate 480k -bufsize 960k

# unrelated.mp4: something else entirely.
encode unrelated.mp4 \
    -f lavfi -i "gradients=s=640x360:r=25:c0=0x14304f:c1=0x2b7a78:c2=0xe8c468:n=3:speed=0.02:seed=3" \
    -f lavfi -i "color=c=0xf2efe6:s=72x72:r=25" \
    -f lavfi -i "aevalsrc='0.14*sin(2*PI*(220+110*floor(mod(t\,4)))*t)+0.08*sin(2*PI*110*t)':s=44100" \
    -filter_complex "
        [0][1]overlay=x='abs(mod(t*150,1136)-568)':y='40+abs(mod(t*110,496)-248)',
           drawbox=0:0:640:30:black@0.45:fill,
           drawtext=fontfile=$cjk:text='另一段录像（未存证）':fontsize=17:fontcolor=white:x=10:y=4,
           drawtext=fontfile=$mono:text='%{pts\:hms}':fontsize=18:fontcolor=white:x=w-tw-10:y=7[v]" \
    -map "[v]" -map 2 -t 10 -b:v 300k -maxrate 340k -bufsize 680k
