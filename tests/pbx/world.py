"""What the private Asterisk of the tests is told: its dialplan, its telephones, its modules.

The dialplan under test is not written here: it is included as it is shipped.
"""

EXTENSIONS = """\
[globals]
GDPRCALL_SPOOL={spool}
GDPRCALL_AGI=127.0.0.1:{agi_port}

#include {dialplan}/gdprcall.conf

[inbound]
; <line>[-<what>]: the line is asked, what it returned is written down by caller, and the agent is dialled.
exten => _[a-z].,1,Set(LINE=${{CUT(EXTEN,-,1)}})
 same => n,Set(WHAT=${{CUT(EXTEN,-,2)}})
 same => n,ExecIf($["${{WHAT}}"="sv" | "${{WHAT}}"="de" | "${{WHAT}}"="fr"]?Set(CHANNEL(language)=${{WHAT}}))
 same => n,Set(DB(call/${{CALLERID(num)}})=${{UNIQUEID}})
 same => n,ExecIf($["${{WHAT}}"="limit"]?Set(TIMEOUT(absolute)=40))
 same => n,ExecIf($["${{WHAT}}"="own"]?Set(DYNAMIC_FEATURES=sitefeature))
 same => n,ExecIf($["${{WHAT}}"="own"]?Set(CHANNEL(hangup_handler_push)=site-end,s,1))
 same => n,Gosub({entry},s,1(${{LINE}},${{IF($["${{WHAT}}"="must"]?must:may)}}))
 same => n,Set(DB(result/${{IF($["${{CALLERID(num)}}"=""]?anonymous:${{CALLERID(num)}})}})=${{GOSUB_RETVAL}})
 same => n,Set(DB(left/${{CALLERID(num)}})=${{TIMEOUT(absolute)}})
 same => n,Set(DB(features/${{CALLERID(num)}})=${{DYNAMIC_FEATURES}})
 same => n,GotoIf($["${{GOSUB_RETVAL}}"="route"]?route)
 same => n,GotoIf($["${{WHAT}}"="again"]?again)
 same => n,GotoIf($["${{WHAT}}"="queue"]?queue)
 same => n,Dial(PJSIP/${{IF($["${{WHAT}}"="ring"]?silent:agent)}},60,tTkK)
 same => n,Hangup()
 same => n(queue),Set(CHANNEL(hangup_handler_push)=site-queue,s,1)
 same => n,Queue(q1,tT,,,60)
 same => n,Hangup()
 same => n(again),Dial(PJSIP/agent,60,S(3)g)
 same => n,Gosub({entry},s,1(${{LINE}},may))
 same => n,Set(DB(again/${{CALLERID(num)}})=${{GOSUB_RETVAL}})
 same => n,Dial(PJSIP/agent,60)
 same => n,Hangup()
 same => n(route),Playback(beep)
 same => n,Hangup()
exten => T,1,Set(DB(sitelimit/${{CALLERID(num)}})=yes)
 same => n,Hangup()

[site-queue]
exten => s,1,Set(DB(queued/${{CALLERID(num)}})=${{MEMBERINTERFACE}})
 same => n,Return()

[site-end]
exten => s,1,Set(DB(siteend/${{CALLERID(num)}})=yes)
 same => n,Return()

[agent-side]
exten => 300,1,Dial(PJSIP/agent,30)
exten => 301,1,Dial(PJSIP/third,30,tT)
exten => 302,1,Dial(PJSIP/outside,30,tT)
"""

PJSIP = """\
[global]
type=global
user_agent=asterisk
[transport]
type=transport
protocol=udp
bind=127.0.0.1:{sip_port}
[trunk](!)
type=endpoint
transport=transport
context=inbound
disallow=all
allow=ulaw,alaw,g722
direct_media=no
dtmf_mode=rfc4733
media_address=127.0.0.1
rtp_symmetric=yes
[anonymous](trunk)
[agent](trunk)
context=agent-side
aors=agent
[agent]
type=aor
contact=sip:agent@127.0.0.1:{agent_port}
[silent](trunk)
context=agent-side
aors=silent
[silent]
type=aor
contact=sip:agent@127.0.0.1:{silent_port}
[third](trunk)
context=agent-side
aors=third
[third]
type=aor
contact=sip:third@127.0.0.1:{third_port}
; outside: a trunk that may lack telephone-events
[outside](trunk)
dtmf_mode=auto
aors=outside
[outside]
type=aor
contact=sip:outside@127.0.0.1:{outside_port}
"""

MODULES = """\
[modules]
autoload=no
""" + "".join(
    f"load={name}.so\n"
    for name in [
        *("app_stack", "app_dial", "app_queue", "app_mixmonitor", "app_stasis", "app_playback", "app_userevent"),
        *("app_db", "app_exec", "app_read", "app_echo", "app_sayunixtime", "app_cdr", "app_verbose", "app_bridgewait"),
        *("func_callerid", "func_channel", "func_cut", "func_db", "func_logic", "func_strings", "func_timeout"),
        *(
            "func_math",
            "func_global",
            "func_periodic_hook",
            "func_groupcount",
            "func_uri",
            "app_chanspy",
            "app_playtones",
            "app_senddtmf",
        ),
        *(
            "bridge_simple",
            "bridge_softmix",
            "bridge_holding",
            "bridge_builtin_features",
            "bridge_builtin_interval_features",
        ),
        *(
            "chan_pjsip",
            "codec_ulaw",
            "codec_alaw",
            "codec_g722",
            "codec_resample",
            "format_wav",
            "format_pcm",
            "format_wav_gsm",
        ),
        *(
            "res_ari",
            "res_ari_applications",
            "res_ari_asterisk",
            "res_ari_bridges",
            "res_ari_channels",
            "res_ari_endpoints",
        ),
        *("res_ari_events", "res_ari_model", "res_ari_playbacks", "res_ari_recordings", "res_ari_sounds"),
        *("res_stasis", "res_stasis_answer", "res_stasis_playback", "res_stasis_recording", "res_stasis_snoop"),
        *(
            "res_http_websocket",
            "res_websocket_client",
            "res_sorcery_astdb",
            "res_sorcery_config",
            "res_sorcery_memory",
        ),
        *(
            "res_sorcery_realtime",
            "res_timing_timerfd",
            "res_rtp_asterisk",
            "res_musiconhold",
            "res_parking",
            "res_crypto",
        ),
        *(
            "res_pjproject",
            "res_pjsip",
            "res_pjsip_session",
            "res_pjsip_sdp_rtp",
            "res_pjsip_caller_id",
            "res_pjsip_dtmf_info",
        ),
        *(
            "res_pjsip_endpoint_identifier_ip",
            "res_pjsip_endpoint_identifier_anonymous",
            "res_pjsip_endpoint_identifier_user",
        ),
        *(
            "res_pjsip_nat",
            "res_pjsip_refer",
            "res_pjsip_rfc3326",
            "res_pjsip_pubsub",
            "res_pjsip_one_touch_record_info",
        ),
        *(
            "pbx_config",
            "res_pjsip_authenticator_digest",
            "res_pjsip_header_funcs",
        ),
        *(
            "func_devstate",
            "res_manager_devicestate",
            "res_stasis_device_state",
            "res_ari_device_states",
            "app_confbridge",
            "app_dumpchan",
            "app_bridgeaddchan",
            "res_clioriginate",
            "res_speech",
            "res_agi",
            "app_amd",
            "app_softhangup",
        ),
    ]
)


def without_stasis() -> str:
    """Return the modules of a site that does not want Stasis: neither it nor ARI is loaded."""
    lines = MODULES.splitlines(keepends=True)
    return "".join(line for line in lines if "stasis" not in line and "ari" not in line)
